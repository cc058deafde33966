"""Retrain and To Champion: who may, what is asked of control, and how it is told."""

from typing import Any

from tiltyard.client.control import ControlClient
from tiltyard.errors import InvalidInputError, LostRaceError
from tiltyard.monitor.source import Look
from tiltyard.monitor.wording import moment
from tiltyard.types.registry import (
    DeploymentState,
    Model,
    Principal,
    Run,
    RunKind,
    RunRequest,
    RunState,
    Scope,
)

LIVE_RUNS = {RunState.QUEUED, RunState.RUNNING}
_TRAINS = {Scope.SCIENTIST, Scope.PROMOTER, Scope.OPERATOR}
_PROMOTES = {Scope.PROMOTER, Scope.OPERATOR}


def offered(look: Look) -> dict[str, Any]:
    """Return what the two buttons may do, and why not; control checks it again in any case."""
    if look.overview is None:
        return {"retrain": "", "promote": "", "candidates": [], "champion": None}
    model = look.overview.model
    return {
        "champion": model.champion,
        "candidates": [
            standing.version
            for standing in look.overview.standings
            if not standing.champion and standing.deployment.state is DeploymentState.HEALTHY
        ],
        "retrain": _obstacle(look.me, model, _TRAINS, "a scientist")
        or ("" if model.champion else "There is no champion to train anew."),
        "promote": _obstacle(look.me, model, _PROMOTES, "a promoter"),
    }


def _obstacle(me: Principal, model: Model, scopes: set[Scope], who: str) -> str:
    """Return why someone may not decide; nothing if they may."""
    if not scopes.intersection(me.scopes):
        return f"Only {who} may do this."
    if Scope.OPERATOR in me.scopes or model.owner_group in me.groups:
        return ""
    return f"Only the group {model.owner_group} may do this."


def retrain(client: ControlClient, model: str) -> str:
    """Queue a retraining whose version becomes a challenger; return what to say."""
    request = RunRequest(kind=RunKind.RETRAIN, pipeline=model, model=model, deploy=True)
    run = client.request_run(request)
    return f"Run {run.id} is {run.state}: it goes on when you close this page."


def promote(
    client: ControlClient, model: str, version: int, expected: int | None, reason: str
) -> str:
    """Make a version champion if the champion is still the one that was shown; return what to say.

    Raises:
        InvalidInputError: no reason is given.
    """
    if not reason.strip():
        raise InvalidInputError("Say why: the ledger keeps the reason.")
    try:
        done = client.promote(model, version, expected, reason.strip())
    except LostRaceError:
        entry = client.overview(model).last_change
        if entry is None:
            raise
        return (
            f"Not done: {entry.who} made version {entry.to_version} champion meanwhile, on "
            f"{moment(entry.at)} UTC (“{entry.reason}”). Look again, and decide anew."
        )
    if done.waiting_for:
        waiting = ", ".join(done.waiting_for)
        return f"Version {version} is champion, but {waiting} has not confirmed yet."
    return f"Version {version} is champion: every answer comes from it now."


def run_of(look: Look) -> dict[str, Any] | None:
    """Return the newest retraining or training of the model as the page shows it."""
    if look.overview is None:
        return None
    kinds = {RunKind.RETRAIN, RunKind.TRAIN}
    run = next((run for run in look.overview.runs if run.request.kind in kinds), None)
    return None if run is None else told(run)


def told(run: Run) -> dict[str, Any]:
    """Return a run's state, progress (0 to 1) and sentence."""
    progress = run.progress.done / run.progress.total if run.progress.total else 0.0
    return {
        "id": run.id,
        "live": run.state in LIVE_RUNS,
        "progress": 1.0 if run.state is RunState.SUCCEEDED else progress,
        "failed": run.state in {RunState.FAILED, RunState.CANCELLED},
        "text": _sentence(run),
    }


def _sentence(run: Run) -> str:
    what = "Retraining" if run.request.kind is RunKind.RETRAIN else "Training"
    by = f"{what} {run.id} (by {run.requested_by})"
    if run.state is RunState.SUCCEEDED:
        return f"{by} has made version {run.version}."
    if run.state is RunState.FAILED:
        return f"{by} failed: {run.error}"
    if run.state is RunState.CANCELLED:
        return f"{by} was cancelled."
    if run.progress.total:
        return f"{by}: cell {run.progress.done} of {run.progress.total}"
    return f"{by} is {run.state}."
