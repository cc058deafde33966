"""Answers as bytes of HTTP/1.1."""

from http import HTTPStatus
from typing import Any

import msgspec

from tiltyard.errors import TiltyardError

RETRY_AFTER_S = 1
MAX_PATHS = 1000

_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}
_encode = msgspec.json.Encoder().encode

Headers = list[tuple[bytes, bytes]]


class Renderer:
    """Renders answers; keeps the server's default headers joined until they change."""

    def __init__(self) -> None:
        self._defaults: Headers | None = None
        self._ok = b""
        self._joined = b""

    def response(
        self,
        defaults: Headers,
        status: int,
        body: bytes,
        extra: bytes = b"",
        *,
        close: bool = False,
    ) -> bytes:
        """Return a whole answer with a JSON body.

        Args:
            defaults: the server's headers (its date); a new list when they change.
            status: of HTTP.
            body: JSON text.
            extra: further header lines, each ending with CRLF.
            close: whether the connection ends with this answer.
        """
        if defaults is not self._defaults:
            self._joined = b"".join([b"%s: %s\r\n" % header for header in defaults])
            self._defaults = defaults
        return b"%s%s%s%scontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
            _LINES[status],
            self._joined,
            extra,
            b"connection: close\r\n" if close else b"",
            len(body),
            body,
        )


def json_body(value: Any) -> bytes:
    """Return a struct or a plain value as JSON."""
    return _encode(value)


def error_headers(error: TiltyardError) -> dict[str, str]:
    """Return the headers that go with an error."""
    if error.status == HTTPStatus.UNAUTHORIZED:
        return {"www-authenticate": "Bearer"}
    if error.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return {"retry-after": str(RETRY_AFTER_S)}
    if error.status == HTTPStatus.METHOD_NOT_ALLOWED:
        return {"allow": str(error.details["allowed"])}
    return {}


def error_lines(error: TiltyardError) -> bytes:
    """Return the same headers as lines."""
    return b"".join([f"{k}: {v}\r\n".encode() for k, v in error_headers(error).items()])
