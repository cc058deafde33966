"""Calls into records of the log, and what was recorded into answers."""

from collections.abc import Sequence

import msgspec

from tiltyard.errors import InvalidInputError
from tiltyard.gateway.table import RoutedModel
from tiltyard.gateway.tickets import PredictAnswer, Prediction, Ticket
from tiltyard.spool import decode_id, encode_id
from tiltyard.types.records import ActualRecord, PredictionRecord


def prediction_records(
    tickets: Sequence[Ticket], gateway: int, seq: int, model_seq: int
) -> list[PredictionRecord]:
    """Return the records of scored tickets of one version; notes each ticket's first seq."""
    records: list[PredictionRecord] = []
    for ticket in tickets:
        ticket.first_seq = seq
        events, probabilities = ticket.event_times, ticket.probabilities
        for i, row in enumerate(ticket.rows):
            records.append(
                PredictionRecord(
                    gateway,
                    seq,
                    ticket.model.name,
                    model_seq,
                    ticket.received_us,
                    None if events is None else events[i],
                    ticket.version,
                    row,
                    ticket.values[i],
                    None if probabilities is None else probabilities[i],
                )
            )
            seq += 1
            model_seq += 1
    return records


def answer_of(ticket: Ticket, gateway: int) -> PredictAnswer:
    """Return the answer of a recorded ticket."""
    model, key, seq = ticket.model, ticket.routes.id_key, ticket.first_seq
    values = ticket.values
    ids = [encode_id(key, model.number, gateway, seq + i) for i in range(len(values))]
    if ticket.probabilities is None:
        predictions = list(map(Prediction, ids, values))
    else:
        maps = [dict(zip(model.classes, p, strict=False)) for p in ticket.probabilities]
        predictions = list(map(Prediction, ids, values, maps))
    return PredictAnswer(model.name, ticket.version, predictions)


class Actual(msgspec.Struct, frozen=True, gc=False):
    """A decoded actual: the prediction it belongs to, its value, when it became known."""

    of_gateway: int
    of_seq: int
    value: bool | int | float | str
    known_at: int

    def record(
        self, gateway: int, seq: int, model: str, model_seq: int, received_at: int
    ) -> ActualRecord:
        """Return its record."""
        return ActualRecord(
            gateway=gateway,
            seq=seq,
            model=model,
            model_seq=model_seq,
            received_at=received_at,
            of_gateway=self.of_gateway,
            of_seq=self.of_seq,
            value=self.value,
            known_at=self.known_at,
        )


def decode_actuals(model: RoutedModel, key: bytes, body: bytes, now_us: int) -> list[Actual]:
    """Read the body of an actuals call.

    Raises:
        InvalidInputError: naming the item; also for an id that is forged or another model's.
        TooLargeError: more actuals than allowed.
    """
    found = []
    for index, (text, value, known_at) in enumerate(model.actuals.decode(body, now_us)):
        try:
            gateway, seq = decode_id(key, text, model.number)
        except InvalidInputError as error:
            raise InvalidInputError(
                f"actuals[{index}].id: {error.message}",
                reason="forged_id",
                row=index,
                column="id",
            ) from None
        found.append(Actual(gateway, seq, value, known_at))
    return found
