"""Calls under way: what a scorer needs of them, and whom to tell."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from tiltyard.errors import TiltyardError
from tiltyard.gateway.packing import Others

if TYPE_CHECKING:  # tables hold pools, which hold tickets
    from tiltyard.gateway.table import RoutedModel, Routes


class Prediction(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One row's prediction; probabilities by class."""

    id: str
    value: bool | int | float | str | None
    probabilities: dict[str, float] | None = None


class PredictAnswer(msgspec.Struct, frozen=True, gc=False):
    """The answer of a predict call, in the order of its rows."""

    model: str
    version: int
    predictions: list[Prediction]


class ActualsAnswer(msgspec.Struct, frozen=True, gc=False):
    """The answer of an actuals call: how many were taken."""

    model: str
    accepted: int


Answer = PredictAnswer | ActualsAnswer


class Reply(Protocol):
    """Where a call's answer goes: either answered or failed is called, once, on the loop."""

    def prepare(self, answer: "Answer") -> None:
        """Take what will be the answer once it is durable: there is time while the disk works."""

    def answered(self) -> None:
        """Give the prepared answer, which is durable now."""

    def failed(self, error: TiltyardError) -> None:
        """Take the reason why there is no answer."""


class Call:
    """A call that was begun and is to be answered once.

    Attributes:
        routes: the ``table.Routes`` under which it began.
        model: the ``table.RoutedModel`` that it is for.
        received_us: arrival, in UTC microseconds.
        deadline: on the monotonic clock.
        rows: its rows, or its actuals.
        ended: an answer was given, so nothing more may be.
    """

    __slots__ = ("deadline", "ended", "model", "received_us", "reply", "routes", "rows")

    def __init__(
        self,
        routes: "Routes",
        model: "RoutedModel",
        rows: Sequence[Any],
        received_us: int,
        deadline: float,
        reply: Reply,
    ) -> None:
        self.routes = routes
        self.model = model
        self.rows = rows
        self.received_us = received_us
        self.deadline = deadline
        self.reply = reply
        self.ended = False


class Ticket(Call):
    """One predict call, from its validated rows to its answer.

    Attributes:
        event_times: of the rows, if the model has any.
        numeric: the float64 inputs of all rows, packed.
        others: the other inputs of each row, if there are any.
        left: rows without a prediction yet.
        version: that answers it.
        first_seq: of its records, once they are queued for the disk.
    """

    __slots__ = (
        "event_times",
        "first_seq",
        "left",
        "numeric",
        "others",
        "probabilities",
        "values",
        "version",
    )

    def __init__(
        self,
        routes: "Routes",
        model: "RoutedModel",
        rows: Sequence[Any],
        version: int,
        event_times: list[int | None] | None,
        numeric: bytes,
        others: Others | None,
        received_us: int,
        deadline: float,
        reply: Reply,
    ) -> None:
        super().__init__(routes, model, rows, received_us, deadline, reply)
        self.version = version
        self.event_times = event_times
        self.numeric = numeric
        self.others = others
        self.left = len(rows)
        self.first_seq = 0
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
