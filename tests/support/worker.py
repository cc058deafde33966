"""Filled spools, stores and threads, for tests of the worker."""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tiltyard.spool import SpoolWriter
from tiltyard.stores.base import Lease, Store, relay_task
from tiltyard.types.records import EPOCH_BITS, LogRecord, PredictionRecord

MINUTE = 60_000_000
START = 28_333_334 * MINUTE
"""A whole minute of November 2023, in microseconds."""

FIRST_SEQ = 1 << EPOCH_BITS


def prediction(seq: int, **fields: object) -> LogRecord:
    """Return the seq-th record (from 0) of gateway 1's first epoch; one a second."""
    default: dict[str, object] = {
        "model": "yard",
        "version": 1,
        "received_at": START + seq % FIRST_SEQ * 1_000_000,
        "event_time": None,
        "row": {"x": float(seq % FIRST_SEQ)},
        "value": float(seq % FIRST_SEQ),
    }
    return PredictionRecord(
        gateway=1,
        seq=FIRST_SEQ + seq,
        model_seq=FIRST_SEQ + seq,
        **{**default, **fields},  # type: ignore[arg-type]  # the record's own fields
    )


def fill_spool(
    folder: Path, count: int, *, segment_bytes: int = 2_000, **fields: object
) -> list[LogRecord]:
    """Let a gateway start on a spool folder and write predictions in batches of 7."""
    return asyncio.run(_fill(folder, count, segment_bytes, fields))


async def _fill(
    folder: Path, count: int, segment_bytes: int, fields: dict[str, object]
) -> list[LogRecord]:
    loop = asyncio.get_running_loop()
    writer = SpoolWriter(
        folder, 1, segment_bytes=segment_bytes, call_soon=loop.call_soon_threadsafe
    )
    writer.start()
    first, _ = writer.reserve("yard", count)
    records = [prediction(first - FIRST_SEQ + i, **fields) for i in range(count)]
    for start in range(0, count, 7):
        batch = records[start : start + 7]
        kept: asyncio.Future[None] = loop.create_future()
        writer.append(batch, lambda error, kept=kept: kept.set_result(None))  # type: ignore[misc]  # mypy cannot infer a lambda's default
        await kept
    writer.close()
    return records


def put_log(store: Store, records: Sequence[LogRecord]) -> None:
    """Append records to the live log as a relay would, and give the lease back."""
    lease = take(store, relay_task(1))
    store.append(lease, 1, records)
    store.release(lease)


def take(store: Store, task: str, holder: str = "test", seconds: float = 60) -> Lease:
    """Take a lease that must be free."""
    lease = store.acquire(task, holder, seconds)
    assert lease is not None
    return lease


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until a condition holds; it must within ``seconds``."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.02)
