"""Retrain and To Champion: who may, what is asked of control, and how it is told."""

from typing import Any

from tiltyard.client.control import ControlClient
from tiltyard.errors import InvalidInputError, LostRaceError
from tiltyard.monitor.source import Look
from tiltyard.monitor.wording import clock
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
        or ("" if model.champion else "There is no champion whose training could be repeated."),
        "promote": _obstacle(look.me, model, _PROMOTES, "a promoter"),
    }


def _obstacle(me: Principal, model: Model, scopes: set[Scope], who: str) -> str:
    """Return why someone may not decide; nothing if they may."""
    if not scopes.intersection(me.scopes):
        return f"Only {who} may do this; {me.name} is none."
    if Scope.OPERATOR in me.scopes or model.owner_group in me.groups:
        return ""
    return f"Only the group {model.owner_group} may do this; {me.name} is not in it."


Told = dict[str, Any]
"""``text``, ``good`` (whether it was done) and ``of`` (``retrain`` or ``promote``)."""


def retrain(client: ControlClient, model: str) -> Told:
    """Queue a retraining whose version becomes a challenger; return what to say."""
    request = RunRequest(kind=RunKind.RETRAIN, pipeline=model, model=model, deploy=True)
    run = client.request_run(request)
    text = f"Run {run.id} is {run.state}. It goes on when this page is closed."
    return {"text": text, "good": True, "of": "retrain"}


def asked(message: dict[str, Any]) -> tuple[int, int | None, str]:
    """Return version, expected champion and reason of a message.

    Raises:
        InvalidInputError: one of them is missing.
    """
    version, expected = message.get("version"), message.get("expected")
    reason = str(message.get("reason") or "").strip()
    if not isinstance(version, int) or not isinstance(expected, int | None):
        raise InvalidInputError("Choose a challenger first.")
    if not reason:
        raise InvalidInputError("Say why: the ledger keeps the reason.")
    return version, expected, reason


def promote(
    client: ControlClient, model: str, version: int, expected: int | None, reason: str
) -> Told:
    """Make a version champion if the champion is still the one that was shown; return what to say.

    Raises:
        TiltyardError: it was refused for another reason.
    """
    try:
        done = client.promote(model, version, expected, reason)
    except LostRaceError:
        entry = client.overview(model).last_change
        if entry is None:
            raise
        text = (
            f"Not done: {entry.who} made version {entry.to_version} champion at "
            f"{clock(entry.at)} (“{entry.reason}”). Look again."
        )
        return {"text": text, "good": False, "of": "promote"}
    if done.waiting_for:
        text = (
            f"Version {version} is champion, but {', '.join(done.waiting_for)} has not confirmed "
            "it yet and may still answer by the version before."
        )
        return {"text": text, "good": True, "of": "promote"}
    text = f"Version {version} is champion since {clock(done.entry.at)}: every answer is its own."
    return {"text": text, "good": True, "of": "promote"}


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
        deployed = ", deployed as a challenger" if run.request.deploy else ""
        return f"{by} has made version {run.version}{deployed}."
    if run.state is RunState.FAILED:
        return f"{by} failed: {run.error}"
    if run.state is RunState.CANCELLED:
        return f"{by} was cancelled."
    if run.progress.total:
        note = f", {run.progress.note}" if run.progress.note else ""
        return f"{by}: cell {run.progress.done} of {run.progress.total}{note}"
    return f"{by} is {run.state}."
