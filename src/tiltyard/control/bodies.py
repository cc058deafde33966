"""Large bodies in and out, in bounded memory and away from the event loop."""

import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from itertools import chain
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from tiltyard.client import wire
from tiltyard.errors import InvalidInputError

Responses = dict[int | str, dict[str, Any]]
"""What a route says of its answers, by status."""

_BINARY = {"schema": {"type": "string", "format": "binary"}}

ARROW_REQUEST = {
    "requestBody": {
        "required": True,
        "description": "An Arrow IPC stream.",
        "content": {wire.MEDIA_TYPE: _BINARY},
    }
}
"""For ``openapi_extra`` of a call that takes an Arrow stream."""

ARROW_ANSWER: Responses = {
    200: {"description": "An Arrow IPC stream.", "content": {wire.MEDIA_TYPE: _BINARY}}
}
"""For ``responses`` of a call that gives one."""

TAR_ANSWER: Responses = {200: {"description": "A tar.", "content": {"application/x-tar": _BINARY}}}


@asynccontextmanager
async def spooled(request: Request, folder: Path) -> AsyncIterator[IO[bytes]]:
    """Give a request's body as an unnamed file of a folder."""
    with tempfile.TemporaryFile(dir=folder) as file:
        async for piece in request.stream():
            await run_in_threadpool(file.write, piece)
        file.seek(0)
        yield file


def read_arrow(file: IO[bytes]) -> Iterator[pa.RecordBatch]:
    """Yield the batches of a caller's Arrow stream, each checked; the first may be empty.

    Raises:
        InvalidInputError: it is no Arrow stream, or a torn or forged one.
    """
    file.seek(0)
    try:
        for batch in wire.decode(file):
            # A forged offset would make Arrow read foreign memory.
            batch.validate(full=True)
            yield batch
    except (pa.ArrowException, OSError) as error:
        raise InvalidInputError(
            f"The body is not a whole Arrow IPC stream ({str(error).splitlines()[0]})."
        ) from None


def arrow_answer(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> StreamingResponse:
    """Return an answer that streams batches; the first is made before the answer begins.

    So an error that the first batch meets is still told as one.
    """
    pieces = iter(wire.encode(schema, batches))
    first = next(pieces)
    return StreamingResponse(chain([first], pieces), media_type=wire.MEDIA_TYPE)
