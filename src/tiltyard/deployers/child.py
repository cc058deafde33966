"""One child process: its group, its log, its restarts."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tiltyard.deployers.groups import MARK, Groups, kill, members, start_time

FIRST_BACK_OFF_S = 0.2
LONGEST_BACK_OFF_S = 10.0
HEALTHY_AFTER_S = 30.0
LOG_BYTES = 10_000_000
TAIL_BYTES = 8_000


@dataclass(frozen=True)
class Program:
    """What to run as a child.

    Attributes:
        name: unique; the log is ``logs/<name>.log``.
        environment: added to that of the parent.
        grace_s: seconds between SIGTERM and SIGKILL.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    grace_s: float = 5.0


class Child:
    """A program that is to run until it is stopped. Not for several threads at once."""

    def __init__(self, program: Program, log: Path, mark: str) -> None:
        self.program = program
        self.runs = 0
        self.early_ends = 0
        self.exit_code: int | None = None
        self._log = log
        self._mark = mark
        self._log_start = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._start_after = 0.0

    @property
    def pid(self) -> int | None:
        """Pid, which is also its group's id; None while it is not running."""
        return None if self._process is None else self._process.pid

    def leader(self) -> tuple[int, int] | None:
        """Return pid and start time, for the record of groups."""
        if self._process is None or (start := start_time(self._process.pid)) is None:
            return None
        return self._process.pid, start

    def tend(self, now: float) -> bool:
        """Notice an end, start when the back-off is over; return whether a group changed."""
        if self._process is not None:
            if self._process.poll() is None:
                if now - self._started > HEALTHY_AFTER_S:
                    self.early_ends = 0
                return False
            self._ended(now)
            return True
        if now >= self._start_after:
            self._start(now)
            return True
        return False

    def terminate(self) -> None:
        """Ask its group to end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill its group, and what moved out of it."""
        self._signal(signal.SIGKILL)
        self._sweep()

    def gone(self) -> bool:
        """Return whether it has ended."""
        if self._process is None:
            return True
        if self._process.poll() is None:
            return False
        self.exit_code = self._process.returncode
        self._sweep()
        self._process = None
        return True

    def tail(self) -> str:
        """Return the end of what it wrote since its last start."""
        try:
            with self._log.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(min(self._log_start, size), size - TAIL_BYTES))
                return file.read().decode(errors="replace").strip()
        except OSError:
            return ""

    def rotate(self) -> None:
        """Move a long log to ``.1``; the child goes on writing, as its file is appended to."""
        with contextlib.suppress(OSError):
            if self._log.stat().st_size > LOG_BYTES:
                shutil.copyfile(self._log, self._log.with_suffix(".log.1"))
                os.truncate(self._log, 0)

    def _start(self, now: float) -> None:
        self.rotate()
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(  # noqa: S603  Tiltyard's own programs
                self.program.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.program.environment, MARK: self._full_mark},
                process_group=0,  # the terminal's Ctrl-C reaches the parent only
            )
        self._started = now
        self.runs += 1

    def _ended(self, now: float) -> None:
        self.gone()
        if now - self._started > HEALTHY_AFTER_S:
            self.early_ends = 0
        back_off = min(FIRST_BACK_OFF_S * 2 ** min(self.early_ends, 10), LONGEST_BACK_OFF_S)
        self.early_ends += 1
        self._start_after = now + back_off

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _sweep(self) -> None:
        """Kill what a dead leader left behind, before a successor works on the same files."""
        left = Groups(self._full_mark)
        end = time.monotonic() + 1
        while (living := members(left) - {self.pid}) and time.monotonic() < end:
            kill(living)
            time.sleep(0.01)

    @property
    def _full_mark(self) -> str:
        return f"{self._mark}.{self.program.name}."
