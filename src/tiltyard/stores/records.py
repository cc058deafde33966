"""What every store derives from a record of the log."""

import msgspec

from tiltyard.types.records import (
    CHUNK_RECORDS,
    ActualRecord,
    LogRecord,
    PredictionRecord,
    Score,
)

Value = bool | int | float | str


class Prediction(msgspec.Struct, frozen=True, array_like=True, tag="p", gc=False):
    """A ``PredictionRecord`` whose row is left undecoded, for who needs the prediction only."""

    gateway: int
    seq: int
    model: str
    model_seq: int
    received_at: int
    event_time: int | None
    version: int
    row: msgspec.Raw
    value: Value | None
    probabilities: list[float] | None = None


decode_prediction_only = msgspec.msgpack.Decoder(Prediction).decode
decode_actual = msgspec.msgpack.Decoder(ActualRecord).decode
decode_score = msgspec.msgpack.Decoder(Score).decode
encode_score = msgspec.msgpack.Encoder().encode
decode_prediction = msgspec.msgpack.Decoder(PredictionRecord).decode


def bucket_time(record: PredictionRecord) -> int:
    """Return the time that buckets a row: its event time, else its arrival."""
    return record.received_at if record.event_time is None else record.event_time


def chunk_of(record: LogRecord) -> int:
    """Return the number of a record's chunk of the log."""
    return record.model_seq // CHUNK_RECORDS
