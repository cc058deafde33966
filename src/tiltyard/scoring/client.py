"""A blocking client of one scorer, for followers, probes and checks."""

import os
import socket
import stat
from collections.abc import Mapping, Sequence
from itertools import count, repeat
from pathlib import Path
from typing import Any, Self

from tiltyard.errors import InvalidInputError, TiltyardError, TimedOutError, UnavailableError
from tiltyard.scoring import frames
from tiltyard.scoring.frames import BatchResult, Frame, FrameBuffer, Hello, Kind, ProtocolError
from tiltyard.scoring.rows import RowError, pack_rows
from tiltyard.types.schema import Signature

BATCH_ROWS = 256
"""Rows of one batch, so that a long list does not hold up the calls of others."""

Scored = tuple[frames.Value, tuple[float, ...] | None]


class ScorerClient:
    """A connection to a scorer; its hello has been read.

    Args:
        endpoint: ``unix:/path`` or ``tcp:host:port``.
        timeout: seconds for connecting and for each answer.
        uid: who must own the unix socket; by default this process's user.

    Raises:
        UnavailableError: nobody answers there, or somebody else owns the socket.
    """

    def __init__(self, endpoint: str, timeout: float = 30.0, *, uid: int | None = None) -> None:
        self.endpoint = endpoint
        self._ids = count(1)
        self._buffer = FrameBuffer()
        self._frames: list[Frame] = []
        self._socket = _connect(endpoint, timeout, os.getuid() if uid is None else uid)
        try:
            self.hello: Hello = frames.decode_hello(self._receive(Kind.HELLO, 0))
        except TiltyardError:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def score(self, signature: Signature, rows: Sequence[Mapping[str, Any]]) -> list[Scored]:
        """Return (value, probabilities) of each row, in order.

        Raises:
            RowError: a row cannot be scored; ``details["row"]`` is its index.
            InvalidInputError: the scorer refused without naming a row.
            UnavailableError: the scorer is away, or serves another signature.
            TimedOutError: no answer in time; close this client then.
        """
        self._check(signature)
        scored: list[Scored] = []
        for start in range(0, len(rows), BATCH_ROWS):
            scored += self._score_batch(signature, rows[start : start + BATCH_ROWS], start)
        return scored

    def batch(self, n: int, numeric: bytes, others: list[list[Any]]) -> BatchResult:
        """Score one batch that is packed already; see `frames.Batch`."""
        request_id = next(self._ids)
        self._send(frames.encode_batch(request_id, n, numeric, others))
        return frames.decode_result(self._receive(Kind.RESULT, request_id), n)

    def _score_batch(
        self, signature: Signature, rows: Sequence[Mapping[str, Any]], start: int
    ) -> list[Scored]:
        try:
            values, probabilities = self.batch(len(rows), *pack_rows(signature, rows))
        except RowError as error:
            raise error.moved_by(start) from None
        return list(zip(values, probabilities or repeat(None), strict=False))

    def _check(self, signature: Signature) -> None:
        if self.hello.signature != signature.digest:
            raise UnavailableError(
                f"The scorer at {self.endpoint} serves another signature "
                f"(of model {self.hello.model!r}): it is not the version that was asked for."
            )

    def _send(self, frame: bytes | bytearray) -> None:
        try:
            self._socket.sendall(frame)
        except OSError as error:
            raise _lost(self.endpoint, error) from None

    def _receive(self, kind: Kind, request_id: int) -> bytes:
        while not self._frames:
            self._frames = self._buffer.feed(self._read())
        frame = self._frames.pop(0)
        if frame.request_id != request_id:
            raise ProtocolError(f"{self.endpoint} answered request {frame.request_id} unasked.")
        if frame.kind == Kind.ERROR:
            raise _refusal(frame)
        if frame.kind != kind:
            raise ProtocolError(f"{self.endpoint} sent a frame of kind {frame.kind}.")
        return frame.body

    def _read(self) -> bytes:
        try:
            data = self._socket.recv(262_144)
        except OSError as error:
            raise _lost(self.endpoint, error) from None
        if not data:
            raise UnavailableError(f"The scorer at {self.endpoint} closed the connection.")
        return data


def _connect(endpoint: str, timeout: float, uid: int) -> socket.socket:
    scheme, _, address = endpoint.partition(":")
    try:
        if scheme == "unix":
            return _connect_unix(Path(address), timeout, uid)
        host, _, port = address.rpartition(":")
        if scheme == "tcp" and port.isdecimal():
            return socket.create_connection((host, int(port)), timeout)
    except OSError as error:
        raise _lost(endpoint, error) from None
    raise InvalidInputError(f"Endpoint {endpoint!r} is neither unix:/path nor tcp:host:port.")


def _connect_unix(path: Path, timeout: float, uid: int) -> socket.socket:
    found = path.lstat()
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != uid:
        raise UnavailableError(f"{path} is no socket of user {uid}, so nothing is sent to it.")
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection


def _lost(endpoint: str, error: OSError) -> TiltyardError:
    if isinstance(error, TimeoutError):
        return TimedOutError(f"The scorer at {endpoint} did not answer in time.")
    return UnavailableError(f"The scorer at {endpoint} does not answer: {error}.")


def _refusal(frame: Frame) -> InvalidInputError:
    error = frames.decode_error(frame.body)
    if error.row is None:
        return InvalidInputError(error.message)
    return RowError(error.row, error.message)
