"""The replicas of one version and the rows that wait for them."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence

from tiltyard.errors import InvalidInputError, TiltyardError, UnavailableError
from tiltyard.gateway.batches import PieceQueue
from tiltyard.gateway.packing import row_bytes
from tiltyard.gateway.replica import Replica
from tiltyard.gateway.results import ResultReader
from tiltyard.gateway.tickets import Piece, Ticket, pieces_of
from tiltyard.scoring.frames import BatchError, BatchResult
from tiltyard.types.schema import Signature

logger = logging.getLogger(__name__)

FLIGHTS = 2
"""Batches in flight to one replica: one is scored while the other is on its way."""


class Pool:
    """Sends waiting rows as one batch as soon as a scorer is free; there is no timer.

    Args:
        name: for the log.
        endpoints: of the replicas.
        signature: the version's.
        max_batch_rows: of one batch.
        scorer_uid: owner of the scorers' sockets.
        on_scored: called with the tickets that are complete.
        on_failed: called with a ticket and why it cannot be answered.
    """

    def __init__(
        self,
        name: str,
        endpoints: Iterable[str],
        signature: Signature,
        max_batch_rows: int,
        scorer_uid: int,
        *,
        on_scored: Callable[[list[Ticket]], None],
        on_failed: Callable[[Ticket, TiltyardError], None],
    ) -> None:
        self.name = name
        self._row_bytes = row_bytes(signature)
        self._max_batch_rows = max_batch_rows
        self._scorer_uid = scorer_uid
        self._digest = signature.digest
        self._results = ResultReader(signature)
        self._on_scored = on_scored
        self._on_failed = on_failed
        self._loop = asyncio.get_running_loop()
        self._queue = PieceQueue()
        self._flush_comes = False
        self._became_ready = asyncio.Event()
        self._replicas = [self._replica(endpoint) for endpoint in endpoints]

    def _replica(self, endpoint: str) -> Replica:
        return Replica(
            endpoint,
            self._digest,
            self._row_bytes,
            self._results,
            self._scorer_uid,
            on_ready=self._ready,
            on_result=self._take_result,
            on_lost=self._take_lost,
        )

    @property
    def ready(self) -> bool:
        """Whether a replica can take batches now."""
        return any(replica.ready for replica in self._replicas)

    @property
    def rows_waiting(self) -> int:
        """Rows that were not sent to a scorer yet."""
        return self._queue.rows

    async def wait_ready(self) -> None:
        """Return when a replica can take batches."""
        while not self.ready:
            self._became_ready.clear()
            await self._became_ready.wait()

    def submit(self, ticket: Ticket) -> None:
        """Queue a ticket's rows.

        Raises:
            UnavailableError: no replica is there.
        """
        if not self.ready:
            raise UnavailableError(
                f"No scorer of {self.name} answers now; try again in a moment.",
                reason="no_scorer",
            )
        for piece in pieces_of(ticket, self._max_batch_rows):
            self._queue.add(piece)
        self._flush_soon()

    def drop_hung(self, tickets: Sequence[Ticket]) -> None:
        """Give up replicas that hold a batch of tickets whose time is over."""
        late = set(map(id, tickets))
        for replica in self._replicas:
            pieces = [piece for flight, _ in replica.flights.values() for piece in flight]
            if any(id(piece.ticket) in late for piece in pieces):
                replica.drop("a batch took longer than a call may")

    def close(self) -> None:
        """Close all connections."""
        for replica in self._replicas:
            replica.close()

    def _ready(self) -> None:
        self._became_ready.set()
        self._flush_soon()

    def _flush_soon(self) -> None:
        """Flush at the end of this turn of the loop, so that all calls read in it join."""
        if not self._flush_comes:
            self._flush_comes = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_comes = False
        queue = self._queue
        while queue and (replica := self._free(alone=queue.next_is_alone())) is not None:
            pieces = queue.take(self._max_batch_rows)
            if pieces:
                replica.send(pieces)

    def _free(self, *, alone: bool) -> Replica | None:
        """Return the least loaded replica that may take a batch now.

        A row that was in a scorer's hands when it died has the scorer to itself, so that
        no other row is blamed for it; and one that has proved itself, if there is any.
        """
        limit = 1 if alone else FLIGHTS
        best: Replica | None = None
        for replica in (alone and self._proved()) or self._replicas:
            if not replica.ready or len(replica.flights) >= limit or _holds_retried(replica):
                continue
            if best is None or replica.rows_in_flight < best.rows_in_flight:
                best = replica
        return best

    def _proved(self) -> list[Replica]:
        return [replica for replica in self._replicas if replica.ready and replica.proved]

    def _take_result(self, pieces: Sequence[Piece], result: BatchResult | BatchError) -> None:
        if isinstance(result, BatchError):
            self._take_refusal(pieces, result)
        else:
            self._hand_out(pieces, result)
        self._flush()

    def _hand_out(self, pieces: Sequence[Piece], result: BatchResult) -> None:
        values, probabilities = result
        complete: list[Ticket] = []
        at = 0
        for piece in pieces:
            ticket, end = piece.ticket, at + piece.stop - piece.start
            part = None if probabilities is None else probabilities[at:end]
            ticket.put(piece.start, values[at:end], part)
            at = end
            if ticket.left == 0 and not ticket.ended:
                complete.append(ticket)
        if complete:
            self._on_scored(complete)

    def _take_refusal(self, pieces: Sequence[Piece], error: BatchError) -> None:
        """Fail the row that is to blame; try the others again, each alone."""
        rows = [row for piece in pieces for row in piece.alone()]
        guilty = 0 if len(rows) == 1 else error.row
        if guilty is not None and guilty < len(rows):
            self._refuse(rows.pop(guilty), f"the model cannot score this row: {error.message}")
        self._queue.put_back([row for row in rows if not row.ticket.ended])

    def _take_lost(self, flights: Sequence[Sequence[Piece]], why: str) -> None:
        """Send each row once more, alone; one that was lost like that before is refused.

        It is not the row's fault if the scorer was given up (which ``why`` tells), however.
        """
        again: list[Piece] = []
        for piece in (piece for flight in flights for piece in flight):
            if piece.ticket.ended:
                continue
            if piece.retried and why:
                self._on_failed(piece.ticket, self._no_answer(why))
            elif piece.retried:
                self._refuse(piece, "a scorer died twice on this row")
            else:
                again += piece.alone()
        self._queue.put_back(again)
        self._flush_soon()

    def _no_answer(self, why: str) -> TiltyardError:
        return UnavailableError(
            f"No scorer of {self.name} answered as it should ({why}); try again in a moment.",
            reason="no_answer",
        )

    def _refuse(self, piece: Piece, why: str) -> None:
        error = InvalidInputError(
            f"rows[{piece.start}]: {why}", reason="scorer_refused", row=piece.start
        )
        self._on_failed(piece.ticket, error)


def _holds_retried(replica: Replica) -> bool:
    return any(pieces[0].retried for pieces, _ in replica.flights.values())
