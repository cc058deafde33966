"""Frames in the store: sets of Arrow batches that come into being at once.

A set is written batch by batch, each in a short transaction of its own, so that a slow upload
holds nobody up. It counts when a later transaction makes it ready together with what refers to
it; what an interrupted upload left is removed by the next one, a day later.
"""

import time
from collections.abc import Iterator, Sequence
from sqlite3 import Connection

import pyarrow as pa

from tiltyard.errors import NotFoundError
from tiltyard.stores.sqlite.database import Database

LEFT_OVER_S = 86_400

_WRITE = pa.ipc.IpcWriteOptions(compression="zstd")


def stage(database: Database, batches: Iterator[pa.RecordBatch]) -> int:
    """Write batches as a new set that is not ready yet; return its number."""
    with database.write() as connection:
        _drop_left_overs(connection)
        number = connection.execute(
            "INSERT INTO batch_set (ready, created_at) VALUES (0, ?)", (int(time.time()),)
        ).lastrowid
    assert number is not None  # noqa: S101  tells the type checker
    try:
        for position, batch in enumerate(batches):
            payload = _encode(batch)
            with database.write() as connection:
                connection.execute(
                    "INSERT INTO batch VALUES (?, ?, ?)", (number, position, payload)
                )
    except BaseException:
        with database.write() as connection:
            drop(connection, number)
        raise
    return number


def make_ready(connection: Connection, batch_set: int) -> None:
    """Let a staged set count."""
    connection.execute("UPDATE batch_set SET ready = 1 WHERE id = ?", (batch_set,))


def drop(connection: Connection, batch_set: int) -> None:
    """Remove a set."""
    connection.execute("DELETE FROM batch WHERE batch_set = ?", (batch_set,))
    connection.execute("DELETE FROM batch_set WHERE id = ?", (batch_set,))


def read(
    database: Database, batch_set: int, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield a set's batches in order, one at a time in memory.

    Raises:
        NotFoundError: there is no such column.
    """
    position = 0
    while True:
        with database.read() as connection:
            row = connection.execute(
                "SELECT payload FROM batch WHERE batch_set = ? AND number = ?",
                (batch_set, position),
            ).fetchone()
        if row is None:
            return
        yield from _decode(row[0], columns)
        position += 1


def _drop_left_overs(connection: Connection) -> None:
    rows = connection.execute(
        "SELECT id FROM batch_set WHERE ready = 0 AND created_at < ?",
        (int(time.time()) - LEFT_OVER_S,),
    ).fetchall()
    for (batch_set,) in rows:
        drop(connection, batch_set)


def _encode(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=_WRITE) as writer:
        writer.write_batch(batch)
    payload: bytes = sink.getvalue().to_pybytes()
    return payload


def _decode(payload: bytes, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
    if columns is None:
        yield from pa.ipc.open_stream(payload)
        return
    names = pa.ipc.open_stream(payload).schema.names
    missing = [name for name in columns if name not in names]
    if missing:
        raise NotFoundError("column", missing[0], names)
    wanted = pa.ipc.IpcReadOptions(included_fields=sorted({names.index(c) for c in columns}))
    for batch in pa.ipc.open_stream(payload, options=wanted):
        yield batch.select(list(columns))
