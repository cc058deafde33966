"""Runs: asked for by people, worked off by runners."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Query, Response
from fastapi.responses import PlainTextResponse
from pydantic import Field

from tiltyard.control import run_logs
from tiltyard.control.api.models import find
from tiltyard.control.auth import Anyone, Scientist, group_for, must_own, require
from tiltyard.control.bodies import Responses
from tiltyard.control.parts import Parts, Wired
from tiltyard.errors import NotFoundError
from tiltyard.types.base import Document
from tiltyard.types.registry import (
    Model,
    Principal,
    Run,
    RunProgress,
    RunRequest,
    RunState,
    Scope,
)

router = APIRouter(prefix="/runs", tags=["runs"])

Runner = Annotated[Principal, require(Scope.RUNNER)]


_LOG: Responses = {
    200: {
        "description": "A part of the log.",
        "headers": {"X-Next-Offset": {"schema": {"type": "integer"}}},
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }
}


class Claim(Document):
    """Who claims; running runs silent for longer than ``lost_after_s`` are given up first."""

    runner: str
    lost_after_s: Annotated[float, Field(gt=0)]


class ClaimedRun(Document):
    """A run to execute, and the token of its notebook."""

    run: Run
    token: str


class RunChange(Document):
    """A sign of life, and what is new; null leaves a field."""

    progress: RunProgress | None = None
    state: RunState | None = None
    version: int | None = None
    history: str | None = None
    error: str | None = None
    key: str | None = None
    attempt: int | None = None


@router.post("", status_code=HTTPStatus.ACCEPTED)
def request_run(body: RunRequest, principal: Scientist, parts: Wired) -> Run:
    """Queue a run; it may what who asks may, on the models of the owner group."""
    groups = principal.groups
    if (model := _model_of(parts, body)) is not None:
        must_own(principal, model)
        groups = (model.owner_group,)
    elif body.owner_group is not None:
        groups = (group_for(principal, body.owner_group),)
    return parts.registry.runs.enqueue(body, principal.name, groups)


@router.get("")
def list_runs(
    _: Anyone,
    parts: Wired,
    state: RunState | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[Run]:
    """Return runs, newest first."""
    return parts.registry.runs.list(state, limit)


@router.post(
    "/claim",
    response_model=ClaimedRun,
    responses={HTTPStatus.NO_CONTENT: {"description": "No run is queued."}},
)
def claim_run(body: Claim, principal: Runner, parts: Wired) -> Response | ClaimedRun:
    """Take the oldest queued run."""
    run = parts.registry.runs.claim(body.runner, body.lost_after_s)
    if run is None:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return ClaimedRun(run=run, token=_token(parts, run, principal))


@router.get("/by-key/{key}")
def get_run_by_key(key: str, _: Runner, parts: Wired) -> Run:
    """Return the newest run of a key that succeeded."""
    run = parts.registry.runs.by_key(key)
    if run is None:
        raise NotFoundError("succeeded run of key", key)
    return run


@router.get("/{run}")
def get_run(run: str, _: Anyone, parts: Wired) -> Run:
    """Return one run."""
    return parts.registry.runs.get(run)


@router.post("/{run}/cancel")
def cancel_run(run: str, principal: Scientist, parts: Wired) -> Run:
    """Cancel a queued run; ask a running one to end."""
    model = _model_of(parts, parts.registry.runs.get(run).request)
    if model is not None:
        must_own(principal, model)
    return parts.registry.runs.cancel(run)


@router.patch("/{run}")
def update_run(run: str, body: RunChange, _: Runner, parts: Wired) -> Run:
    """Take a runner's sign of life, and what is new of a run."""
    return parts.registry.runs.update(
        run,
        progress=body.progress,
        state=body.state,
        version=body.version,
        history=body.history,
        error=body.error,
        key=body.key,
        attempt=body.attempt,
    )


@router.get("/{run}/log", response_class=Response, responses=_LOG)
def read_run_log(
    run: str, _: Anyone, parts: Wired, offset: Annotated[int, Query(ge=0)] = 0
) -> PlainTextResponse:
    """Return the log from a byte offset on, at most 1 MB, and the offset to ask for next."""
    text, after = run_logs.read(parts, parts.registry.runs.get(run), offset)
    return PlainTextResponse(text, headers={"x-next-offset": str(after)})


@router.post("/{run}/log", status_code=HTTPStatus.NO_CONTENT)
def append_run_log(
    run: str,
    text: Annotated[str, Body(media_type="text/plain")],
    _: Runner,
    parts: Wired,
) -> None:
    """Append to a run's log."""
    run_logs.append(parts, parts.registry.runs.get(run), text)


def _model_of(parts: Parts, request: RunRequest) -> Model | None:
    # A pipeline is named after its model unless the request or its parameter says otherwise.
    told = request.model or request.parameters.get("model") or request.pipeline
    return find(parts, str(told))


def _token(parts: Parts, run: Run, runner: Principal) -> str:
    return parts.registry.tokens.issue_principal(
        run.requested_by,
        [Scope.SCIENTIST],
        parts.registry.runs.groups(run.id),
        runner.name,
        run=run.id,
    ).token
