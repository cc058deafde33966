"""The record of process groups that one ``tiltyard up`` started, and how to end them all.

Two marks find a process: its group, recorded in ``up.groups`` with the start time of the
group's leader (a recycled pid has another), and the variable ``TILTYARD_UP`` in its
environment, which also reaches those that moved to a session of their own. Only the standard
library is used, since the watchdog must start at once.
"""

import contextlib
import json
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

MARK = "TILTYARD_UP"
"""Environment variable: ``<mark of this up>.<child's name>``."""

_STAT_STATE = 0
_STAT_PGRP = 2
_STAT_START = 19


@dataclass(frozen=True)
class Groups:
    """What ``up.groups`` holds.

    Attributes:
        mark: of the ``tiltyard up`` that wrote it.
        watchdog: pid and start time of its watchdog.
        leaders: pid (= group id) → start time in clock ticks since boot.
    """

    mark: str
    watchdog: tuple[int, int] | None = None
    leaders: dict[int, int] = field(default_factory=dict)


def write_groups(path: Path, groups: Groups) -> None:
    """Replace the file in one step."""
    content = {"mark": groups.mark, "watchdog": groups.watchdog, "leaders": groups.leaders}
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(content))
    temporary.replace(path)


def read_groups(path: Path) -> Groups | None:
    """Return what the file holds; None if it is not there or not whole."""
    try:
        content = json.loads(path.read_text())
        watchdog = content["watchdog"]
        return Groups(
            mark=content["mark"],
            watchdog=None if watchdog is None else (int(watchdog[0]), int(watchdog[1])),
            leaders={int(pid): int(start) for pid, start in content["leaders"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


def start_time(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None if it is gone."""
    fields = _stat(pid)
    return None if fields is None else int(fields[_STAT_START])


def members(groups: Groups) -> set[int]:
    """Return the living processes that belong to these groups or whose mark begins so."""
    prefix = f"{MARK}={groups.mark}".encode()
    ours = {pid for pid, start in groups.leaders.items() if start_time(pid) == start}
    found = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or (pid := int(entry.name)) == os.getpid():
            continue
        fields = _stat(pid)
        if fields is None or fields[_STAT_STATE] in {"Z", "X"}:
            continue
        if int(fields[_STAT_PGRP]) in ours or _carries(pid, prefix):
            found.add(pid)
    return found


def kill(pids: set[int]) -> None:
    """Send SIGKILL to processes; those that are gone are no matter."""
    signal_all(pids, signal.SIGKILL)


def signal_all(pids: set[int], number: signal.Signals) -> None:
    """Send a signal to processes; those that are gone are no matter."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def kill_all(groups: Groups, wait_s: float = 5.0) -> set[int]:
    """Kill until nothing of these groups lives; return what could not be killed in time."""
    end = time.monotonic() + wait_s
    while (living := members(groups)) and time.monotonic() < end:
        kill(living)
        time.sleep(0.02)
    return living


def remove_sockets(folder: Path) -> None:
    """Remove scorers' sockets and the folders that are empty then."""
    for path in folder.glob("*/*/s.sock"):
        with contextlib.suppress(OSError):
            path.unlink()
    for depth in ("*/*", "*", "."):
        for path in folder.glob(depth) if depth != "." else [folder]:
            with contextlib.suppress(OSError):
                path.rmdir()


def _stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/<pid>/stat after the name, which may hold spaces."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()


def _carries(pid: int, prefix: bytes) -> bool:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:  # gone, or another user's
        return False
    return any(entry.startswith(prefix) for entry in environment.split(b"\0"))
