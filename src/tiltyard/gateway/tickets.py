"""Calls under way: what a scorer needs of them, and whom to tell."""

from collections.abc import Sequence
from typing import Any, Protocol

from tiltyard.errors import TiltyardError
from tiltyard.gateway.packing import Others


class Reply(Protocol):
    """Where a call's answer goes. Exactly one method is called, once, on the loop."""

    def answered(self, version: int, predictions: Sequence[Any]) -> None:
        """Take the predictions, which are durable."""

    def accepted(self, count: int) -> None:
        """Take the news that so many actuals are durable."""

    def failed(self, error: TiltyardError) -> None:
        """Take the reason why there is no answer."""


class Ticket:
    """One predict call, from its validated rows to its answer.

    Attributes:
        model: the routed model whose champion answers; a ``table.ModelState``.
        rows: the decoded structs.
        numeric: the float64 inputs of all rows, packed.
        others: the other inputs of each row, if there are any.
        received_us: arrival, in UTC microseconds.
        deadline: on the monotonic clock.
        left: rows without a prediction yet.
        ended: an answer was given, so nothing more may be.
    """

    __slots__ = (
        "deadline",
        "ended",
        "event_times",
        "left",
        "model",
        "numeric",
        "others",
        "probabilities",
        "received_us",
        "reply",
        "rows",
        "values",
    )

    def __init__(
        self,
        model: Any,
        rows: Sequence[Any],
        event_times: list[int | None] | None,
        numeric: bytes,
        others: Others | None,
        received_us: int,
        deadline: float,
        reply: Reply,
    ) -> None:
        self.model = model
        self.rows = rows
        self.event_times = event_times
        self.numeric = numeric
        self.others = others
        self.received_us = received_us
        self.deadline = deadline
        self.reply = reply
        self.left = len(rows)
        self.ended = False
        self.values: list[Any] = [None] * self.left
        self.probabilities: list[Any] | None = None

    def put(
        self, start: int, values: list[Any], probabilities: list[tuple[float, ...]] | None
    ) -> None:
        """Take the predictions of the rows from ``start`` on."""
        end = start + len(values)
        self.values[start:end] = values
        if probabilities is not None:
            if self.probabilities is None:
                self.probabilities = [None] * len(self.rows)
            self.probabilities[start:end] = probabilities
        self.left -= len(values)


class Piece:
    """Rows of a ticket that go together into a batch.

    Attributes:
        retried: a scorer died on them before, so they go alone.
    """

    __slots__ = ("retried", "start", "stop", "ticket")

    def __init__(self, ticket: Ticket, start: int, stop: int, *, retried: bool = False) -> None:
        self.ticket = ticket
        self.start = start
        self.stop = stop
        self.retried = retried

    @property
    def size(self) -> int:
        """Number of rows."""
        return self.stop - self.start

    def alone(self) -> "list[Piece]":
        """Return each row as a piece of its own, to be tried once more."""
        return [Piece(self.ticket, i, i + 1, retried=True) for i in range(self.start, self.stop)]


def pieces_of(ticket: Ticket, max_rows: int) -> list[Piece]:
    """Cut a ticket into pieces that fit into a batch."""
    count = len(ticket.rows)
    return [Piece(ticket, i, min(i + max_rows, count)) for i in range(0, count, max_rows)]
