"""Finds and kills all processes of a run.

A kernel starts a session of its own and a notebook may start more, so that no process group
holds them all. What they share is their environment: it names the run's folder.
"""

import contextlib
import logging
import os
import time
from pathlib import Path

import psutil

RUN_DIR = "TILTYARD_RUN_DIR"

_ROUNDS_S = 3.0

log = logging.getLogger(__name__)


def members(run_dir: Path) -> list[psutil.Process]:
    """Return the other living processes whose environment names this folder or one below it."""
    return [p for p in psutil.process_iter() if p.pid != os.getpid() and _names(p, run_dir)]


def kill_all(run_dir: Path, child: int | None = None) -> None:
    """Kill the processes of a run, with those they start meanwhile.

    Args:
        run_dir: what their environment names as ``TILTYARD_RUN_DIR``, or a folder above it.
        child: pid of the one that was started first, if it has not been waited for: its
            descendants are killed even if they have another environment.
    """
    end = time.monotonic() + _ROUNDS_S
    while found := {*members(run_dir), *_tree(child)}:
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        # psutil's own waiting would take the exit code from whoever started a process.
        time.sleep(0.02)
        if time.monotonic() > end:
            log.error("Processes of %s do not die: %s", run_dir, [p.pid for p in found])
            return


def _tree(child: int | None) -> list[psutil.Process]:
    if child is None:
        return []
    try:
        top = psutil.Process(child)
        return [p for p in [top, *top.children(recursive=True)] if _lives(p)]
    except psutil.NoSuchProcess:
        return []


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _names(process: psutil.Process, run_dir: Path) -> bool:
    try:
        named = process.environ().get(RUN_DIR)
        return named is not None and Path(named).is_relative_to(run_dir) and _lives(process)
    except (psutil.Error, OSError):
        return False
