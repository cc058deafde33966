"""Histories and what a model is trained on."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime
from starlette.concurrency import run_in_threadpool

from tiltyard.control import history
from tiltyard.control.api.models import find
from tiltyard.control.auth import Anyone, Scientist, must_own, owned, require
from tiltyard.control.bodies import ARROW_ANSWER, ARROW_REQUEST, arrow_answer, spooled
from tiltyard.control.parts import Parts, Wired
from tiltyard.types.base import Document
from tiltyard.types.registry import HistorySnapshot, Model, Principal, Scope
from tiltyard.types.schema import ModelName, Task

router = APIRouter(prefix="/models/{model}", tags=["history"])

Reader = Annotated[Principal, require(Scope.SCIENTIST, Scope.RUNNER, run=True)]


class Period(Document):
    """Live rows of start ≤ event time < end; null is open."""

    start: AwareDatetime | None = None
    end: AwareDatetime | None = None


@router.put("/history", openapi_extra=ARROW_REQUEST)
async def write_history(
    model: ModelName,
    request: Request,
    principal: Scientist,
    parts: Wired,
    task: Task | None = None,
    target: str | None = None,
    event_time: str | None = None,
    owner_group: str | None = None,
) -> HistorySnapshot:
    """Keep an Arrow stream as the latest history; a new model needs task and target."""
    found = await run_in_threadpool(_writable, parts, principal, model)
    told = history.Told(task, target, event_time, owner_group)
    async with spooled(request, parts.scratch) as file:
        return await run_in_threadpool(history.write, parts, principal, model, found, told, file)


@router.get("/history")
def get_history(model: str, _: Anyone, parts: Wired, digest: str | None = None) -> HistorySnapshot:
    """Return a snapshot, by default the latest prepared one."""
    return history.snapshot(parts, model, digest)


@router.get("/history/rows", response_class=StreamingResponse, responses=ARROW_ANSWER)
def read_history(
    model: str,
    principal: Reader,
    parts: Wired,
    digest: str | None = None,
    columns: Annotated[list[str] | None, Query()] = None,
) -> StreamingResponse:
    """Stream a snapshot's rows in their order."""
    return arrow_answer(*history.rows(parts, owned(parts, principal, model), digest, columns))


@router.post("/history/extend")
def extend_history(model: str, body: Period, principal: Reader, parts: Wired) -> HistorySnapshot:
    """Keep the latest history plus live rows with actuals as a snapshot, read by digest."""
    found = owned(parts, principal, model)
    return history.extend(parts, principal, found, body.start, body.end)


@router.get("/training-frame", response_class=StreamingResponse, responses=ARROW_ANSWER)
def read_training_frame(
    model: str,
    principal: Reader,
    parts: Wired,
    start: AwareDatetime | None = None,
    end: AwareDatetime | None = None,
) -> StreamingResponse:
    """Stream the latest history, then live rows with actuals."""
    found = owned(parts, principal, model)
    return arrow_answer(*history.training_rows(parts, found, start, end))


def _writable(parts: Parts, principal: Principal, model: str) -> Model | None:
    found = find(parts, model)
    if found is not None:
        must_own(principal, found)
    return found
