"""HTTP/1.1 byte by byte, for clients that no library lets one be."""

import json
import socket
from collections.abc import Iterable
from typing import Any, NamedTuple, Self

from support.gateway import TOKEN


class Response(NamedTuple):
    """One answer as it was read."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body's document."""
        return json.loads(self.body)

    @property
    def closes(self) -> bool:
        """Whether it says that the connection ends."""
        return self.headers.get("connection") == "close"


class Wire:
    """A connection to a server on this machine."""

    def __init__(self, port: int, timeout: float = 20.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._file.close()
        self.socket.close()

    def send(self, *parts: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(b"".join(parts))

    def read(self, *, head: bool = False) -> Response:
        """Read one answer; EOFError if the server closed before it began one.

        Args:
            head: it answers HEAD, so it has no body whatever its length says.
        """
        status = self._line()
        if not status:
            raise EOFError("closed")
        headers: dict[str, str] = {}
        while line := self._line():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length = 0 if head else int(headers.get("content-length", "0"))
        body = self._file.read(length)
        assert len(body) == length, "the answer was cut"
        return Response(int(status.split(" ")[1]), headers, body)

    def read_all(self) -> list[Response]:
        """Read answers until the server closes."""
        found = []
        while True:
            try:
                found.append(self.read())
            except EOFError:
                return found

    def ended(self) -> bool:
        """Wait for the server to close; whether it did without a further byte."""
        try:
            return self._file.read(1) == b""
        except ConnectionResetError:
            return True

    def _line(self) -> str:
        return self._file.readline(65_536).decode("latin-1").rstrip("\r\n")


def request(
    method: str,
    target: str,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    *,
    token: str | None = TOKEN,
    length: bool = True,
    version: str = "1.1",
) -> bytes:
    """Return a request's bytes; ``length`` adds Content-Length."""
    lines = [f"{method} {target} HTTP/{version}", "Host: gateway"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += [f"{name}: {value}" for name, value in headers]
    lines += [f"Content-Length: {len(body)}"] if length and method == "POST" else []
    return "\r\n".join([*lines, "", ""]).encode() + body


def predict(model: str, *rows: dict[str, Any], headers: Iterable[tuple[str, str]] = ()) -> bytes:
    """Return the bytes of a predict request."""
    body = json.dumps({"rows": rows}).encode()
    return request("POST", f"/models/{model}/predict", headers, body)


def chunks(body: bytes, size: int) -> bytes:
    """Return a body in chunks, with the last one."""
    parts = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join([b"%x\r\n%s\r\n" % (len(p), p) for p in parts]) + b"0\r\n\r\n"


def call(
    port: int,
    method: str,
    target: str,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    *,
    token: str | None = TOKEN,
) -> Response:
    """Send one request on a connection of its own; return the answer."""
    with Wire(port) as wire:
        wire.send(request(method, target, headers, body, token=token))
        return wire.read(head=method == "HEAD")
