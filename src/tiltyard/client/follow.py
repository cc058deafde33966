"""Waiting for what control was asked to do."""

import time
from collections.abc import Callable

from tiltyard.client.control import ControlClient
from tiltyard.errors import ConflictError, TiltyardError, TimedOutError
from tiltyard.types.registry import Deployment, DeploymentState, Run, RunState

_POLL_S = 0.25


def until_healthy(control: ControlClient, asked: Deployment, timeout_s: float) -> Deployment:
    """Return the deployment when all its scorers have repeated the golden rows.

    Raises:
        ConflictError: it was refused, failed or was retired.
        TimedOutError: it is still starting after ``timeout_s``.
    """
    name = f"{asked.model} version {asked.version}"
    until = time.monotonic() + timeout_s
    while True:
        now = next(d for d in control.deployments(asked.model) if d.id == asked.id)
        if now.state is DeploymentState.HEALTHY:
            return now
        if now.state is not DeploymentState.STARTING:
            raise ConflictError(
                f"The deployment of {name} is {now.state}: {now.reason or 'no reason was given'}.",
                deployment=now.id,
                state=str(now.state),
            )
        if time.monotonic() > until:
            raise TimedOutError(
                f"{name} is not healthy after {timeout_s:g} s; `tiltyard deployments` tells when "
                f"it is.{f' It waits: {now.reason}' if now.reason else ''}",
                deployment=now.id,
            )
        time.sleep(_POLL_S)


def until_ended(control: ControlClient, run: Run, say: Callable[[str], None] | None = print) -> Run:
    """Return a run that has succeeded, telling its progress by cells.

    Raises:
        TiltyardError: it failed or was cancelled.
    """
    told = ""
    while True:
        run = control.run(run.id)
        line = _line(run)
        if say is not None and line != told:
            say(line)
            told = line
        if run.state is RunState.SUCCEEDED:
            return run
        if run.state.ended:
            raise TiltyardError(
                f"Run {run.id} {run.state}: {run.error or 'no error was told'}. "
                f"`tiltyard run log {run.id}` shows all of it.",
                run=run.id,
                state=str(run.state),
            )
        time.sleep(_POLL_S)


def _line(run: Run) -> str:
    progress = run.progress
    cells = f" cell {progress.done}/{progress.total}" if progress.total else ""
    note = f": {progress.note}" if progress.note else ""
    return f"run {run.id} {run.state}{cells}{note}"
