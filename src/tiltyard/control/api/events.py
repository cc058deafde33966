"""The event stream: server-sent events that resume where they broke."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from tiltyard.control.auth import Anyone
from tiltyard.control.bodies import Responses
from tiltyard.control.changes import Changes
from tiltyard.control.parts import Parts, Wired
from tiltyard.types.registry import Event

router = APIRouter(tags=["events"])

HEARTBEAT_S = 15.0
BATCH = 500

_STREAM: Responses = {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}}


@router.get("/events", response_class=StreamingResponse, responses=_STREAM)
async def follow_events(
    _: Anyone,
    parts: Wired,
    after: int | None = None,
    last_event_id: Annotated[int | None, Header()] = None,
) -> StreamingResponse:
    """Stream the events after an id as they happen; without an id, those from now on."""
    start = after if last_event_id is None else last_event_id
    if start is None:
        start = (await parts.changes.now()).event
    return StreamingResponse(
        _stream(parts, start),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


async def _stream(parts: Parts, last: int) -> AsyncIterator[str]:
    yield ": connected\n\n"
    while not parts.changes.closing:
        events = await run_in_threadpool(parts.registry.events.after, last, BATCH)
        for event in events:
            yield _frame(event)
            last = event.id
        if not events and not await _more(parts.changes, last):
            yield ": still here\n\n"


async def _more(changes: Changes, last: int) -> bool:
    return await changes.until(lambda now: now.event > last, HEARTBEAT_S)


def _frame(event: Event) -> str:
    return f"id: {event.id}\nevent: {event.kind}\ndata: {event.model_dump_json()}\n\n"
