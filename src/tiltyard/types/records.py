"""Records of the gateway's log, as the spool frames them and the store keeps them.

Times are UTC microseconds. A record's key is (gateway, seq).
"""

from typing import Any

import msgspec

EPOCH_BITS = 40
"""A gateway's seq and model_seq begin at epoch << EPOCH_BITS, so that no number is lent twice."""

CHUNK_RECORDS = 1000
"""Records of a log chunk: chunk = model_seq // CHUNK_RECORDS."""


class PredictionRecord(msgspec.Struct, frozen=True, array_like=True, tag="p", gc=False):
    """One answered row.

    Attributes:
        row: column name → value as sent (a decoded dict, or a struct when written).
        value: the prediction.
        probabilities: one a class, in the signature's order.
    """

    gateway: int
    seq: int
    model: str
    model_seq: int
    received_at: int
    event_time: int | None
    version: int
    row: Any
    value: bool | int | float | str | None
    probabilities: list[float] | None = None


class ActualRecord(msgspec.Struct, frozen=True, array_like=True, tag="a", gc=False):
    """The ground truth of the prediction (of_gateway, of_seq), as known at ``known_at``."""

    gateway: int
    seq: int
    model: str
    model_seq: int
    received_at: int
    of_gateway: int
    of_seq: int
    value: bool | int | float | str
    known_at: int


LogRecord = PredictionRecord | ActualRecord

encode_record = msgspec.msgpack.Encoder().encode
decode_record = msgspec.msgpack.Decoder(LogRecord).decode


class Score(msgspec.Struct, frozen=True, gc=False):
    """What a follower's version made of a logged row: a value, or the reason it could not."""

    gateway: int
    seq: int
    value: bool | int | float | str | None
    probabilities: list[float] | None = None
    refusal: str | None = None
