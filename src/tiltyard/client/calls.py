"""What the calls of control's API share: documents in and out."""

import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any, TypeVar

import pyarrow as pa
from pydantic import BaseModel, TypeAdapter

from tiltyard.client import wire
from tiltyard.client.transport import BodyReader, Transport

D = TypeVar("D", bound=BaseModel)

_COMPUTING_S = 300.0


class Calls:
    """A group of calls over one transport."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    def _get(self, kind: type[D], path: str, **params: Any) -> D:
        return kind.model_validate_json(self.transport.send("GET", path, params=params).content)

    def _list(self, kind: type[D], path: str, **params: Any) -> list[D]:
        answer = self.transport.send("GET", path, params=params)
        return TypeAdapter(list[kind]).validate_json(answer.content)  # type: ignore[valid-type]

    def _dict(self, path: str, **params: Any) -> dict[str, Any]:
        # What is computed from raw rows takes as long as there are rows.
        request = self.transport.send("GET", path, params=params, timeout=_COMPUTING_S)
        answer: dict[str, Any] = request.json()
        return answer

    def _send(self, kind: type[D], method: str, path: str, body: Any = None, **request: Any) -> D:
        answer = self.transport.send(method, path, json=body, **request)
        return kind.model_validate_json(answer.content)

    def _batches(self, path: str, **params: Any) -> Iterator[pa.RecordBatch]:
        with self.transport.stream("GET", path, params=params) as answer:
            yield from wire.decode(io.BufferedReader(BodyReader(answer), 1 << 16))


def json_of(document: BaseModel | None) -> Any:
    """Return a document as JSON-able values; None stays."""
    return None if document is None else document.model_dump(mode="json")


def text_of(at: datetime | None) -> str | None:
    """Return a time as RFC 3339 text; None stays."""
    return None if at is None else at.isoformat()
