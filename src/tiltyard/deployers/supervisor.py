"""Keeps children running, and sees that none outlives ``tiltyard up``."""

import contextlib
import logging
import secrets
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tiltyard.deployers.child import Child, Program
from tiltyard.deployers.groups import (
    Groups,
    kill,
    kill_all,
    members,
    read_groups,
    remove_sockets,
    signal_all,
    start_time,
    write_groups,
)

logger = logging.getLogger(__name__)

GROUPS_FILE = "up.groups"
_TICK_S = 0.05
_ROTATE_S = 5.0


@dataclass(frozen=True)
class ChildStatus:
    """A child as it is now.

    Attributes:
        runs: how often it was started.
        early_ends: how often in a row it ended before 30 s were over.
    """

    name: str
    pid: int | None
    runs: int
    early_ends: int
    exit_code: int | None


class Supervisor:
    """Starts programs as process groups, restarts the dead, stops all at the end.

    Entering it first ends what a killed predecessor on the same home left behind.

    Args:
        home: its ``logs/`` and ``up.groups`` are written.
        sockets: folder of its scorers' sockets, emptied at the end; None: they are another's.
    """

    def __init__(self, home: Path, sockets: Path | None) -> None:
        self._home = home
        self._sockets = sockets
        self._mark = secrets.token_hex(8)
        self._children: dict[str, Child] = {}
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._tend, name="supervisor", daemon=True)
        self._watchdog: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._end_predecessor()
        self._watchdog = self._start_watchdog()
        self._record()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def start(self, program: Program) -> None:
        """Start a program and keep it running; one that is there already stays."""
        with self._lock:
            if program.name in self._children:
                return
            log = self._home / "logs" / f"{program.name}.log"
            child = Child(program, log, self._mark)
            child.tend(time.monotonic())
            self._children[program.name] = child
            self._record()

    def stop(self, *names: str) -> None:
        """End children together: SIGTERM, their grace, SIGKILL."""
        with self._lock:
            children = [self._children.pop(name) for name in names if name in self._children]
        for child in children:
            child.terminate()
        self._wait(children)
        for child in children:
            child.kill()
        self._wait(children)
        with self._lock:
            self._record()

    def kill(self) -> None:
        """Kill every child at once, without grace; also while others wait for their end.

        It takes no lock, so that a signal's handler may call it.
        """
        self._closing.set()
        kill_all(Groups(self._mark))

    def signal_marked(self, prefix: str, number: signal.Signals) -> None:
        """Signal every process whose mark names a child that begins so, whoever started it."""
        signal_all(members(Groups(f"{self._mark}.{prefix}")), number)

    def status(self, name: str) -> ChildStatus | None:
        """Return the state of a child; None if there is none of that name."""
        with self._lock:
            child = self._children.get(name)
            if child is None:
                return None
            return ChildStatus(name, child.pid, child.runs, child.early_ends, child.exit_code)

    def names(self) -> list[str]:
        """Return the names of all children."""
        with self._lock:
            return list(self._children)

    def tail(self, name: str) -> str:
        """Return the end of what a child wrote since its last start; empty if unknown."""
        with self._lock:
            child = self._children.get(name)
            return "" if child is None else child.tail()

    def close(self) -> None:
        """Stop every child that is left, then the watchdog; leave no socket and no record."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()
        self.stop(*self.names())
        if self._watchdog is not None:
            self._stop_watchdog(self._watchdog)
        if self._sockets is not None:
            remove_sockets(self._sockets)
        with contextlib.suppress(OSError):
            (self._home / GROUPS_FILE).unlink()

    def _tend(self) -> None:
        rotated = time.monotonic()
        while not self._closing.wait(_TICK_S):
            now = time.monotonic()
            with self._lock:
                # Every child is tended, also after one has changed.
                changed = [self._tend_one(child, now) for child in self._children.values()]
                if any(changed):
                    self._record()
                if now - rotated > _ROTATE_S:
                    rotated = now
                    for child in self._children.values():
                        child.rotate()

    def _tend_one(self, child: Child, now: float) -> bool:
        runs, pid = child.runs, child.pid
        try:
            changed = child.tend(now)
        except OSError as error:  # no process or file to be had now: tried again at the next tick
            logger.warning("%s could not be started: %s", child.program.name, error)
            return False
        if pid is not None and child.pid is None:
            logger.warning("%s ended with %s; it is restarted", child.program.name, child.exit_code)
        elif child.runs > max(runs, 1):
            logger.info("%s runs again, pid %s", child.program.name, child.pid)
        return changed

    def _wait(self, children: list[Child]) -> None:
        start = time.monotonic()
        for child in children:
            while not child.gone() and time.monotonic() - start < child.program.grace_s:
                time.sleep(0.01)

    def _record(self) -> None:
        leaders = [child.leader() for child in self._children.values()]
        groups = Groups(
            self._mark, self._watchdog_identity(), dict(leader for leader in leaders if leader)
        )
        try:
            write_groups(self._home / GROUPS_FILE, groups)
        except OSError as error:  # a full disk; the mark in the environments is enough
            logger.warning("The process groups could not be recorded: %s", error)

    def _watchdog_identity(self) -> tuple[int, int] | None:
        if self._watchdog is None or (start := start_time(self._watchdog.pid)) is None:
            return None
        return self._watchdog.pid, start

    def _start_watchdog(self) -> subprocess.Popen[bytes]:
        module = "tiltyard.deployers.watchdog"
        groups = str(self._home / GROUPS_FILE)
        sockets = () if self._sockets is None else (str(self._sockets),)
        return subprocess.Popen(  # noqa: S603  Tiltyard's own program
            (sys.executable, "-m", module, groups, self._mark, *sockets),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _stop_watchdog(self, watchdog: subprocess.Popen[bytes]) -> None:
        if watchdog.stdin is not None:
            watchdog.stdin.close()
        try:
            watchdog.wait(timeout=5)
        except subprocess.TimeoutExpired:
            watchdog.kill()
            watchdog.wait()

    def _end_predecessor(self) -> None:
        groups = read_groups(self._home / GROUPS_FILE)
        if groups is None:
            return
        if groups.watchdog and start_time(groups.watchdog[0]) == groups.watchdog[1]:
            kill({groups.watchdog[0]})  # this supervisor does its work now
        left = kill_all(groups)
        if left:
            logger.warning("Processes of an earlier start could not be ended: %s", sorted(left))
        if self._sockets is not None:
            remove_sockets(self._sockets)
