"""The head of a request: what of it decides about a call, and what makes it unacceptable."""

from tiltyard.errors import TiltyardError, TooLargeError
from tiltyard.gateway.errors import (
    BadRequestError,
    HeadTooLargeError,
    MethodNotAllowedError,
    OipTooLargeError,
    UnsupportedEncodingError,
)

MAX_HEAD_BYTES = 65_536

MAX_CHUNKING_BYTES = 1_048_576
"""Of the sizes, extensions and trailers around a body that comes in chunks."""

_FIELD_OVERHEAD = len(b": \r\n")
_DECISIVE = frozenset(
    {b"authorization", b"content-encoding", b"content-length", b"expect", b"host"}
)


class Head:
    """Gathers header fields as they are parsed.

    Attributes:
        fields: the decisive ones, by their names in lower case.
        size: bytes of all fields.
        twice: a decisive field that was given twice.
    """

    __slots__ = ("fields", "size", "twice")

    def __init__(self) -> None:
        self.fields: dict[bytes, bytes] = {}
        self.size = 0
        self.twice = b""

    def add(self, name: bytes, value: bytes) -> None:
        """Take a field; the name is in lower case."""
        self.size += len(name) + len(value) + _FIELD_OVERHEAD
        if name in _DECISIVE:
            if name in self.fields:
                self.twice = name
            self.fields[name] = value

    @property
    def content_length(self) -> int:
        """Length of the body; 0 when it is not told."""
        return int(self.fields.get(b"content-length", 0))

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits for ``100 Continue``."""
        return self.fields.get(b"expect", b"").lower() == b"100-continue"

    def flaw(self, url: bytes, http_version: str, max_body_bytes: int) -> TiltyardError | None:
        """Return why no request with this head is taken, if there is a reason."""
        if self.size + len(url) > MAX_HEAD_BYTES:
            return HeadTooLargeError(MAX_HEAD_BYTES)
        if self.twice:
            return BadRequestError(f"The header {self.twice.decode()!r} is given twice.")
        if b"host" not in self.fields and http_version == "1.1":
            return BadRequestError("HTTP/1.1 needs a Host header.")
        return too_large(url, max_body_bytes) if self.content_length > max_body_bytes else None

    def not_a_call(self, method: bytes, path: str) -> TiltyardError | None:
        """Return why a request to a call's path is no call, if there is a reason."""
        if method != b"POST":
            return MethodNotAllowedError(method.decode("ascii"), path, "POST")
        encoding = self.fields.get(b"content-encoding", b"identity").strip()
        if encoding.lower() != b"identity":
            return UnsupportedEncodingError(encoding.decode("latin-1"))
        return None


def too_large(url: bytes, limit: int) -> TooLargeError:
    """Return the refusal of a body, in the shape that this path's clients understand."""
    kind = OipTooLargeError if url.startswith(b"/v2/") else TooLargeError
    return kind(
        f"The body is larger than {limit} bytes: split its rows over several calls.",
        reason="too_many_bytes",
        limit=limit,
    )


def without_upgrade(method: bytes, url: bytes, headers: list[tuple[bytes, bytes]]) -> bytes:
    """Return a head again without its offer to upgrade, which nobody has to accept.

    The parser takes what follows such a head for another protocol, though it is the body: Java's
    client offers HTTP/2 like that with its first request.
    """
    lines = [b"%s %s HTTP/1.1" % (method, url)]
    for name, value in headers:
        if name == b"connection":
            value = b", ".join(  # noqa: PLW2901  only this one changes
                [t.strip() for t in value.split(b",") if t.strip().lower() != b"upgrade"]
            )
        if name != b"upgrade":
            lines.append(b"%s: %s" % (name, value))
    return b"\r\n".join([*lines, b"", b""])
