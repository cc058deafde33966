"""Times of the registry: UTC microseconds in columns, aware datetimes in documents."""

import time
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> int:
    """Return the present as UTC microseconds."""
    return time.time_ns() // 1_000


def instant(microseconds: int) -> datetime:
    """Return the aware datetime of UTC microseconds, exact."""
    return EPOCH + timedelta(microseconds=microseconds)


def maybe_instant(microseconds: int | None) -> datetime | None:
    """Return the aware datetime of UTC microseconds that may be missing."""
    return None if microseconds is None else instant(microseconds)


def microseconds(at: datetime) -> int:
    """Return the UTC microseconds of an aware datetime, exact."""
    return (at - EPOCH) // timedelta(microseconds=1)
