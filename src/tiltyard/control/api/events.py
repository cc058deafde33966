"""The event stream: server-sent events that resume where they broke."""

import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from tiltyard.control.auth import Anyone, authenticate
from tiltyard.control.bodies import Responses
from tiltyard.control.changes import Changes
from tiltyard.control.parts import Parts, Wired
from tiltyard.errors import TiltyardError, UnavailableError
from tiltyard.types.registry import Event

router = APIRouter(tags=["events"])

HEARTBEAT_S = 15.0
RECHECK_S = 2.5
"""How often it is asked whether the token is still good: one that is revoked hears no more."""
BATCH = 500

_STREAM: Responses = {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}}


@router.get("/events", response_class=StreamingResponse, responses=_STREAM)
async def follow_events(
    request: Request,
    _: Anyone,
    parts: Wired,
    after: int | None = None,
    last_event_id: Annotated[int | None, Header()] = None,
) -> StreamingResponse:
    """Stream the events after an id as they happen; without an id, those from now on."""
    header = request.headers.get("authorization")
    start = after if last_event_id is None else last_event_id
    if start is None:
        start = (await parts.changes.now()).event
    return StreamingResponse(
        _stream(parts, start, header),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


async def _stream(parts: Parts, last: int, header: str | None) -> AsyncIterator[str]:
    yield ": connected\n\n"
    told = checked = time.monotonic()
    while not parts.changes.closing:
        events = await run_in_threadpool(parts.registry.events.after, last, BATCH)
        for event in events:
            yield _frame(event)
            last = event.id
        now = time.monotonic()
        if events:
            told = now
        elif now >= told + HEARTBEAT_S:
            yield ": still here\n\n"
            told = now
        if now >= checked + RECHECK_S:
            if not await run_in_threadpool(_still_good, parts, header):
                return
            checked = now
        if not events:
            await _more(parts.changes, last)


def _still_good(parts: Parts, header: str | None) -> bool:
    try:
        authenticate(header, parts.verifiers)
    except UnavailableError:  # nobody says that it is not
        return True
    except TiltyardError:
        return False
    return True


async def _more(changes: Changes, last: int) -> bool:
    return await changes.until(lambda now: now.event > last, min(HEARTBEAT_S, RECHECK_S))


def _frame(event: Event) -> str:
    return f"id: {event.id}\nevent: {event.kind}\ndata: {event.model_dump_json()}\n\n"
