"""Tells control how a run does; what cannot be told now is told later."""

import codecs
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from tiltyard.client.control import ControlClient
from tiltyard.errors import ConflictError, NotFoundError, TimedOutError, UnavailableError
from tiltyard.training.execute import CANCELLED
from tiltyard.types.registry import Run, RunProgress, RunState

T = TypeVar("T")

AWAY = (UnavailableError, TimedOutError)
"""Errors that say: try again later."""

_LOG_BYTES = 256_000
_FIRST_BACK_OFF_S = 0.2
_LONGEST_BACK_OFF_S = 2.0

log = logging.getLogger(__name__)


def insist(call: Callable[[], T], until: Callable[[], float | None]) -> T:
    """Return what a call answers, again and again while control is away.

    Args:
        call: idempotent.
        until: says up to which monotonic time to try, or None for ever; asked each time.
    """
    wait = _FIRST_BACK_OFF_S
    while True:
        try:
            return call()
        except AWAY:
            deadline = until()
            if deadline is not None and time.monotonic() > deadline:
                raise
        time.sleep(wait)
        wait = min(2 * wait, _LONGEST_BACK_OFF_S)


class Reporter:
    """Heartbeats, progress and log of one run, from a thread of its own.

    As a context manager it beats within; the outcome is told after.

    Args:
        client: of the runner.
        run: the claimed one.
        log: file that the run prints to.
        heartbeat_s: seconds between two signs of life.
    """

    def __init__(self, client: ControlClient, run: Run, log: Path, heartbeat_s: float) -> None:
        self._client = client
        self._run = run
        self._log = log
        self._heartbeat_s = heartbeat_s
        self._progress = RunProgress()
        self._stop_reason: str | None = None
        self._offset = 0
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._news = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._beat, name=f"report {run.id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended = True
        self._news.set()
        self._thread.join()

    def progress(self, progress: RunProgress) -> None:
        """Tell of a cell, soon."""
        self._progress = progress
        self._news.set()

    def stop_reason(self) -> str | None:
        """Return why control wants this run to stop, if it does."""
        return self._stop_reason

    def outcome(
        self, state: RunState, until: Callable[[], float | None], **told: Any
    ) -> Run | None:
        """Tell how the run ended, with the rest of its log; None if nobody wants to know."""
        try:
            insist(self._send_log, until)
            return insist(
                lambda: self._client.update_run(
                    self._run.id, progress=self._progress, state=state, **told
                ),
                until,
            )
        except (ConflictError, NotFoundError) as error:
            log.warning("Run %s: control takes no outcome: %s", self._run.id, error)
            return None

    def _beat(self) -> None:
        while not self._ended:
            self._news.wait(self._heartbeat_s)
            self._news.clear()
            try:
                self._tell()
            except AWAY as error:
                log.warning("Run %s: %s", self._run.id, error)
                time.sleep(_FIRST_BACK_OFF_S)
            except (ConflictError, NotFoundError) as error:
                self._stop_reason = f"given up: {error}"
                return

    def _tell(self) -> None:
        run = self._client.update_run(self._run.id, progress=self._progress)
        if run.cancel_requested:
            self._stop_reason = CANCELLED
        self._send_log()

    def _send_log(self) -> None:
        with self._log.open("rb") as file:
            file.seek(self._offset)
            while piece := file.read(_LOG_BYTES):
                self._client.append_run_log(self._run.id, self._decode(piece))
                self._offset += len(piece)
