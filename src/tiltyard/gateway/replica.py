"""The connection to one scorer: hello, batches out, results in, back-off when it is away."""

import asyncio
import logging
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from tiltyard.errors import TiltyardError, UnavailableError
from tiltyard.gateway.batches import contents
from tiltyard.gateway.results import ResultReader
from tiltyard.gateway.tickets import Piece
from tiltyard.scoring.frames import (
    BatchError,
    BatchResult,
    Frame,
    FrameBuffer,
    Kind,
    ProtocolError,
    decode_hello,
    encode_batch,
)

logger = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.02
LONGEST_PAUSE_S = 0.25
HELLO_TIMEOUT_S = 5.0

Flight = tuple[Sequence[Piece], int]
"""The pieces of a batch in flight, and their number of rows."""


class Replica(asyncio.Protocol):
    """Keeps one connection to a scorer's endpoint open, for as long as it is not closed.

    Attributes:
        flights: batches in flight, by request.
        rows_in_flight: their rows.
        ready: whether it can take batches.
        proved: whether it has answered one on this connection.

    Args:
        endpoint: ``unix:/path`` or ``tcp:host:port``.
        signature: digest that the scorer must show in its hello.
        row_bytes: of one row's packed doubles.
        results: reads what the scorer answers.
        uid: owner of its socket.
        on_ready: called when the scorer can take batches.
        on_result: called with a batch's pieces and its result, or the scorer's refusal.
        on_lost: called with the pieces of the batches in flight when the connection ended, and
            why it was given up; nothing if the scorer ended it.
    """

    def __init__(
        self,
        endpoint: str,
        signature: str,
        row_bytes: int,
        results: ResultReader,
        uid: int,
        *,
        on_ready: Callable[[], None],
        on_result: Callable[[Sequence[Piece], BatchResult | BatchError], None],
        on_lost: Callable[[Sequence[Sequence[Piece]], str], None],
    ) -> None:
        self.endpoint = endpoint
        self.flights: dict[int, Flight] = {}
        self.rows_in_flight = 0
        self.ready = False
        self.proved = False
        self._signature = signature
        self._row_bytes = row_bytes
        self._results = results
        self._uid = uid
        self._dropped = self._told = ""
        self._on_ready, self._on_result, self._on_lost = on_ready, on_result, on_lost
        self._transport: asyncio.Transport | None = None
        self._closed = False
        self._next_id = 1
        self._pause = FIRST_PAUSE_S
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    def send(self, pieces: Sequence[Piece]) -> None:
        """Send pieces as one batch."""
        n, numeric, others = contents(pieces, self._row_bytes)
        request_id = self._next_id
        self._next_id = request_id % 0xFFFF_FFFF + 1
        self.flights[request_id] = (pieces, n)
        self.rows_in_flight += n
        if self._transport is not None:
            self._transport.write(encode_batch(request_id, n, numeric, others))  # type: ignore[arg-type]  # columns may be tuples

    def drop(self, why: str) -> None:
        """Give the connection up and make a new one; batches in flight are lost."""
        if self._transport is not None:
            self._tell(f"dropping the scorer at {self.endpoint}: {why}")
            self._dropped = why
            self.ready = False
            self._transport.abort()

    def close(self) -> None:
        """Close for good."""
        self._closed = True
        self._connecting.cancel()
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the hello."""
        self._transport = transport  # type: ignore[assignment]  # a stream's transport
        self._buffer = FrameBuffer()
        loop = asyncio.get_running_loop()
        self._hello_timer = loop.call_later(HELLO_TIMEOUT_S, self.drop, "it sends no hello")

    def data_received(self, data: bytes) -> None:
        """Take results."""
        try:
            for frame in self._buffer.feed(data):
                self._take(frame)
        except TiltyardError as error:
            self.drop(error.message)

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand the batches in flight back and connect again."""
        self._hello_timer.cancel()
        self._transport = None
        self.ready = self.proved = False
        lost = [pieces for pieces, _ in self.flights.values()]
        self.flights.clear()
        self.rows_in_flight = 0
        if not self._closed:
            self._connecting = asyncio.get_running_loop().create_task(self._connect())
        why, self._dropped = self._dropped, ""
        self._on_lost(lost, why)

    def _take(self, frame: Frame) -> None:
        if frame.kind == Kind.HELLO:
            self._greet(frame)
            return
        flight = self.flights.pop(frame.request_id, None)
        if flight is None:
            raise ProtocolError(f"it answered request {frame.request_id} unasked")
        pieces, n = flight
        self.rows_in_flight -= n
        try:
            result = self._results.read(frame, n)
        except ProtocolError:
            self.flights[frame.request_id] = flight
            raise
        if not self.proved:
            self.proved, self._pause, self._told = True, FIRST_PAUSE_S, ""
        self._on_result(pieces, result)

    def _greet(self, frame: Frame) -> None:
        hello = decode_hello(frame.body)
        if hello.signature != self._signature:
            raise UnavailableError(f"it serves another version (of {hello.model!r})")
        self._hello_timer.cancel()
        self.ready = True
        self._on_ready()

    async def _connect(self) -> None:
        """Try until there is a connection; the scorer may be starting or being replaced."""
        loop = asyncio.get_running_loop()
        scheme, _, address = self.endpoint.partition(":")
        while not self._closed:
            await asyncio.sleep(self._pause)
            self._pause = min(self._pause * 2, LONGEST_PAUSE_S)
            try:
                if scheme == "unix":
                    self._check_socket(Path(address))
                    await loop.create_unix_connection(lambda: self, address)
                else:
                    host, _, port = address.rpartition(":")
                    await loop.create_connection(lambda: self, host, int(port))
            except OSError:
                continue
            return

    def _check_socket(self, path: Path) -> None:
        """Connect only to a socket of the scorers' user: a link or another's is no scorer."""
        found = path.lstat()
        if not stat.S_ISSOCK(found.st_mode) or found.st_uid != self._uid:
            self._tell(f"{path} is no socket of user {self._uid}: not connecting")
            raise FileNotFoundError(path)

    def _tell(self, what: str) -> None:
        """Log a trouble once, not as often as it is tried."""
        if what != self._told:
            self._told = what
            logger.warning("%s", what)
