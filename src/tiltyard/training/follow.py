"""Follows a run to its end, for people and schedulers."""

import time
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

from tiltyard.errors import ControlAwayError, TimedOutError
from tiltyard.types.registry import Run, RunState

T = TypeVar("T")

TIMED_OUT = "timed out after"
"""How the error of a run that was killed by its time-out begins."""


class RunSource(Protocol):
    """What is needed of control's client."""

    def run(self, run: str) -> Run:
        """Return one run."""
        ...

    def run_log(self, run: str, offset: int = 0) -> tuple[str, int]:
        """Return the log from a byte offset on, and the offset to ask for next."""
        ...


def follow(
    client: RunSource,
    run_id: str,
    on_progress: Callable[[Run], None] | None = None,
    on_log: Callable[[str], None] | None = None,
    *,
    poll_s: float = 0.5,
    away_s: float = 60.0,
) -> Run:
    """Return a run when it has ended.

    Args:
        client: of control.
        run_id: the run.
        on_progress: is told the run whenever it has changed.
        on_log: is told each new piece of the log.
        poll_s: seconds between two looks.
        away_s: seconds for which control may be away, as in a restart.

    Raises:
        ControlAwayError: control was away for longer.
    """
    offset, seen = 0, None
    while True:
        run = _patiently(partial(client.run, run_id), poll_s, away_s)
        if on_log is not None:
            text, offset = _patiently(partial(client.run_log, run_id, offset), poll_s, away_s)
            if text:
                on_log(text)
        if on_progress is not None and run != seen:
            on_progress(run)
        seen = run
        if run.state.ended:
            return run
        time.sleep(poll_s)


def exit_code(run: Run) -> int:
    """Return what a scheduler is told: 0 succeeded, 4 timed out, 3 failed or cancelled."""
    if run.state is RunState.SUCCEEDED:
        return 0
    return 4 if (run.error or "").startswith(TIMED_OUT) else 3


def _patiently(call: Callable[[], T], poll_s: float, away_s: float) -> T:
    deadline = time.monotonic() + away_s
    while True:
        try:
            return call()
        except (ControlAwayError, TimedOutError):
            if time.monotonic() > deadline:
                raise
            time.sleep(poll_s)
