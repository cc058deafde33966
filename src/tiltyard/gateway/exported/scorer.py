"""The scorer beside an exported front: started, and started again when it dies."""

import asyncio
import logging
import os
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Callable
from pathlib import Path

from tiltyard.errors import UnavailableError

logger = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
HEALTHY_AFTER_S = 30.0
GRACE_S = 3.0
TRIES = 3
"""Ends in a row of a scorer that never answered, after which it is given up."""
WRONG = frozenset({2, 3})
"""Exit codes that say that another start would not help."""


class Scorer:
    """One scorer process of a version's folder.

    Args:
        folder: the version's.
        socket: where it is to listen.
        version: number of the version.
    """

    def __init__(self, folder: Path, socket: Path, version: int) -> None:
        self.endpoint = f"unix:{socket}"
        self._command = (
            *(sys.executable, "-m", "tiltyard.scoring", "--folder", str(folder)),
            *("--socket", str(socket), "--version", str(version)),
        )
        self._process: Process | None = None

    async def run(self, answers: Callable[[], bool]) -> None:
        """Keep it running until cancelled.

        Args:
            answers: whether it answers now.

        Raises:
            UnavailableError: it ends again and again and never answered.
        """
        trusted, ends, pause = False, 0, FIRST_PAUSE_S
        while True:
            began = time.monotonic()
            code, answered = await self._once(answers)
            trusted, ends = trusted or answered, ends + 1
            if not trusted and (code in WRONG or ends >= TRIES):
                raise UnavailableError(
                    f"The scorer ended ({_reason(code)}) before it could answer; what it said "
                    "stands above."
                )
            if time.monotonic() - began > HEALTHY_AFTER_S:
                pause = FIRST_PAUSE_S
            logger.warning("the scorer ended (%s); it is started again", _reason(code))
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    async def end(self) -> None:
        """End it; the batch at hand is answered."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), GRACE_S)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _once(self, answers: Callable[[], bool]) -> tuple[int, bool]:
        """Run it to its end; return its exit code, and whether it ever answered."""
        process = self._process = await asyncio.create_subprocess_exec(
            *self._command, env=_environment(), start_new_session=True
        )
        ended = asyncio.create_task(process.wait())
        answered = False
        while not answered and not ended.done():
            await asyncio.wait([ended], timeout=0.1)
            answered = answers()
        return await ended, answered


def _environment() -> dict[str, str]:
    """Return this process's environment without what is Tiltyard's: the caller's token."""
    return {k: v for k, v in os.environ.items() if not k.startswith("TILTYARD_")}


def _reason(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
