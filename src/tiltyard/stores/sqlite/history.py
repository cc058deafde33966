"""Histories: immutable snapshots, and what versions predict for their rows."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from sqlite3 import Connection
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from tiltyard.errors import InvalidInputError, NotFoundError
from tiltyard.stores.canonical import HistoryDigest, canonical_batches, canonical_schema
from tiltyard.stores.sqlite.batches import drop, make_ready, read, stage
from tiltyard.stores.sqlite.shared import SqlitePart, known_model, model_id
from tiltyard.types.registry import HistorySnapshot

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_FIELDS = "digest, row_count, columns, event_start, event_end, created_at, created_by, batch_set"

_INSERT = f"""INSERT INTO history (model, latest, {_FIELDS})
    VALUES (?, 0, ?, ?, ?, ?, ?, ?, ?, ?)"""  # noqa: S608  only constants

_BY_DIGEST = f"SELECT {_FIELDS} FROM history WHERE model = ? AND digest = ?"  # noqa: S608  likewise

_LATEST = f"""SELECT {_FIELDS} FROM history WHERE model = ? AND latest > 0
    ORDER BY latest DESC LIMIT 1"""  # noqa: S608  likewise


class History(SqlitePart):
    """Snapshots by model and digest, and predictions by model and version."""

    def put_history(
        self,
        model: str,
        batches: Iterator[pa.RecordBatch],
        *,
        event_time: str | None,
        created_by: str,
        latest: bool = True,
    ) -> HistorySnapshot:
        """Keep a snapshot, all or nothing; the same rows again are the same snapshot.

        Raises:
            InvalidInputError: there are no rows, or a column cannot be kept.
        """
        schema, rows = _opened(batches)
        passing = _Passing(schema, event_time)
        batch_set = stage(self._db, passing.each(rows))
        with self._db.write() as connection:
            number = model_id(connection, model)
            _keep(connection, number, passing, batch_set, created_by)
            if latest:
                _make_latest(connection, number, passing.digest)
            return _snapshot(model, _find(connection, number, passing.digest))

    def history(self, model: str, digest: str | None = None) -> HistorySnapshot | None:
        """Return a snapshot, by default the latest."""
        with self._db.read() as connection:
            row = _find(connection, known_model(connection, model), digest)
        return _snapshot(model, row) if row else None

    def read_history(
        self, model: str, digest: str, columns: Sequence[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield a snapshot's rows in the order in which they were put.

        Raises:
            NotFoundError: there is no such snapshot or column.
        """
        with self._db.read() as connection:
            row = _find(connection, known_model(connection, model), digest)
        if row is None:
            raise NotFoundError(f"history of {model}", digest)
        return read(self._db, row[-1], columns)

    def put_history_predictions(
        self, model: str, version: int, digest: str, batches: Iterator[pa.RecordBatch]
    ) -> None:
        """Keep a version's predictions of a snapshot, in place of earlier ones.

        Raises:
            NotFoundError: there is no such snapshot.
            InvalidInputError: the columns or the number of rows are not right.
        """
        snapshot = self.history(model, digest)
        if snapshot is None:
            raise NotFoundError(f"history of {model}", digest)
        schema, rows = _opened(batches)
        _check_predictions(schema)
        batch_set = stage(self._db, _exactly(canonical_batches(rows, schema), snapshot.rows))
        with self._db.write() as connection:
            key = (known_model(connection, model), version)
            _drop_predictions(connection, *key)
            connection.execute(
                "INSERT INTO history_prediction VALUES (?, ?, ?, ?)", (*key, digest, batch_set)
            )
            make_ready(connection, batch_set)

    def read_history_predictions(self, model: str, version: int) -> Iterator[pa.RecordBatch]:
        """Yield them: ``value`` and, of a classifier, ``p0`` … in the order of its classes.

        Raises:
            NotFoundError: none were put.
        """
        with self._db.read() as connection:
            row = connection.execute(
                "SELECT batch_set FROM history_prediction WHERE model = ? AND version = ?",
                (known_model(connection, model), version),
            ).fetchone()
        if row is None:
            raise NotFoundError(f"history prediction of {model} version", version)
        return read(self._db, row[0])


class _Passing:
    """Digests and measures a snapshot's batches on their way into the store."""

    def __init__(self, schema: pa.Schema, event_time: str | None) -> None:
        if event_time is not None:
            _check_event_time(schema, event_time)
        self.schema = schema
        self.rows = 0
        self.event_start: int | None = None
        self.event_end: int | None = None
        self._event_time = event_time
        self._hash = HistoryDigest(schema, event_time)

    @property
    def digest(self) -> str:
        return self._hash.hex()

    def each(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in canonical_batches(batches, self.schema):
            self._hash.update(batch)
            self.rows += batch.num_rows
            self._widen(batch)
            yield batch
        if not self.rows:
            raise InvalidInputError("The history holds no rows.")

    def _widen(self, batch: pa.RecordBatch) -> None:
        if self._event_time is None:
            return
        seen = pc.min_max(batch.column(self._event_time).cast(pa.int64())).as_py()
        starts = [t for t in (self.event_start, seen["min"]) if t is not None]
        ends = [t for t in (self.event_end, seen["max"]) if t is not None]
        self.event_start, self.event_end = min(starts, default=None), max(ends, default=None)


def _opened(batches: Iterator[pa.RecordBatch]) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Return the canonical schema and all batches, having looked at the first one."""
    batches = iter(batches)
    first = next(batches, None)
    if first is None:
        raise InvalidInputError("There are no rows.")
    return canonical_schema(first.schema), chain([first], batches)


def _check_event_time(schema: pa.Schema, event_time: str) -> None:
    if event_time not in schema.names:
        raise NotFoundError("column", event_time, schema.names)
    if not pa.types.is_timestamp(schema.field(event_time).type):
        raise InvalidInputError(
            f"Event time {event_time!r} holds {schema.field(event_time).type}: make it UTC times.",
            column=event_time,
        )


def _check_predictions(schema: pa.Schema) -> None:
    wanted = ["value", *(f"p{i}" for i in range(len(schema.names) - 1))]
    if schema.names != wanted:
        raise InvalidInputError(
            f"Predictions have the columns value, p0, p1 …, not {', '.join(schema.names)}."
        )


def _exactly(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    seen = 0
    for batch in batches:
        seen += batch.num_rows
        yield batch
    if seen != rows:
        raise InvalidInputError(f"{seen} predictions for a history of {rows} rows.")


def _keep(
    connection: Connection, model: int, passing: _Passing, batch_set: int, created_by: str
) -> None:
    """Keep the staged set as a snapshot, or drop it when there is the same one already."""
    if _find(connection, model, passing.digest) is not None:
        drop(connection, batch_set)
        return
    connection.execute(
        _INSERT,
        (
            model,
            passing.digest,
            passing.rows,
            json.dumps(passing.schema.names),
            passing.event_start,
            passing.event_end,
            _microseconds(datetime.now(UTC)),
            created_by,
            batch_set,
        ),
    )
    make_ready(connection, batch_set)


def _make_latest(connection: Connection, model: int, digest: str) -> None:
    connection.execute(
        """UPDATE history SET latest = (SELECT max(latest) + 1 FROM history WHERE model = ?1)
        WHERE model = ?1 AND digest = ?2""",
        (model, digest),
    )


def _find(connection: Connection, model: int, digest: str | None) -> Any:
    if digest is None:
        return connection.execute(_LATEST, (model,)).fetchone()
    return connection.execute(_BY_DIGEST, (model, digest)).fetchone()


def _drop_predictions(connection: Connection, model: int, version: int) -> None:
    key = (model, version)
    rows = connection.execute(
        "SELECT batch_set FROM history_prediction WHERE model = ? AND version = ?", key
    ).fetchall()
    for (batch_set,) in rows:
        drop(connection, batch_set)
    connection.execute("DELETE FROM history_prediction WHERE model = ? AND version = ?", key)


def _snapshot(model: str, row: Any) -> HistorySnapshot:
    digest, rows, columns, start, end, created_at, created_by, _ = row
    return HistorySnapshot(
        model=model,
        digest=digest,
        rows=rows,
        columns=tuple(msgspec.json.decode(columns)),
        event_start=None if start is None else _instant(start),
        event_end=None if end is None else _instant(end),
        created_at=_instant(created_at),
        created_by=created_by,
    )


def _instant(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)
