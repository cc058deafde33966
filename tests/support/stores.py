"""Records for stores, as a gateway would log them."""

from collections.abc import Sequence
from typing import Any

from tiltyard.stores.base import Lease, Store, follow_task, relay_task, summarise_task
from tiltyard.types.records import ActualRecord, LogRecord, PredictionRecord, Score

MODEL = "bike"

T0 = 1_700_000_000_000_000
"""Arrival of seq 0; each seq comes a second later."""

SECOND = 1_000_000


def prediction(
    seq: int,
    *,
    gateway: int = 1,
    model: str = MODEL,
    version: int = 1,
    row: dict[str, Any] | None = None,
    value: bool | float | str | None = None,
    probabilities: list[float] | None = None,
    event_time: int | None = None,
) -> PredictionRecord:
    """Return a prediction that arrived ``seq`` seconds after T0; its value is ``seq``."""
    return PredictionRecord(
        gateway,
        seq,
        model,
        seq,
        T0 + seq * SECOND,
        event_time,
        version,
        {"hour": seq % 24} if row is None else row,
        float(seq) if value is None else value,
        probabilities,
    )


def actual(
    seq: int,
    of_seq: int,
    value: bool | float | str = 1.0,
    *,
    gateway: int = 1,
    of_gateway: int = 1,
    model: str = MODEL,
    known_at: int | None = None,
    received_at: int | None = None,
) -> ActualRecord:
    """Return an actual that arrived ``seq`` seconds after T0 and was known then."""
    arrived = T0 + seq * SECOND if received_at is None else received_at
    known = arrived if known_at is None else known_at
    return ActualRecord(gateway, seq, model, seq, arrived, of_gateway, of_seq, value, known)


def take(store: Store, task: str, holder: str = "test") -> Lease:
    """Take a lease that nobody else holds."""
    lease = store.acquire(task, holder, 60)
    assert lease is not None
    return lease


def append(store: Store, *records: LogRecord) -> int:
    """Append records of one gateway as its relay would; return how many were new."""
    gateway = records[0].gateway
    return store.append(take(store, relay_task(gateway)), gateway, records)


def follow(
    store: Store,
    version: int,
    scores: Sequence[Score],
    cursor: dict[int, int],
    model: str = MODEL,
) -> None:
    """Write scores as the version's follower would."""
    lease = take(store, follow_task(model, version))
    store.write_scores(lease, model, version, scores, cursor)


def summariser(store: Store, model: str = MODEL) -> Lease:
    """Take the lease of a model's summariser."""
    return take(store, summarise_task(model))
