"""Summaries: chunks that changed, their minutes, and what these are merged into."""

from collections.abc import Sequence
from sqlite3 import Connection

from tiltyard.errors import InvalidInputError
from tiltyard.stores.base import ChunkRows, DirtyChunk, Lease, SummaryRow, summarise_task
from tiltyard.stores.records import Value, decode_actual, decode_prediction, decode_score
from tiltyard.stores.sqlite.shared import SqlitePart, check_lease, known_model, model_id
from tiltyard.types.records import PredictionRecord, Score

Span = tuple[int, int, int, int]
"""Model, gateway, first and last seq."""


class Summaries(SqlitePart):
    """Chunks to summarise and absolute summaries; payloads are opaque here."""

    def dirty_chunks(self, model: str, limit: int) -> list[DirtyChunk]:
        """Return chunks that changed since they were summarised, the oldest first."""
        with self._db.read() as connection:
            rows = connection.execute(
                """SELECT gateway, chunk, mark FROM chunk
                WHERE model = ? AND mark > summarised ORDER BY gateway, chunk LIMIT ?""",
                (known_model(connection, model), limit),
            ).fetchall()
        return [DirtyChunk(*row) for row in rows]

    def read_chunk(self, model: str, gateway: int, chunk: int) -> ChunkRows:
        """Return all that is known of one chunk's predictions, at one moment."""
        with self._db.read() as connection:
            number = known_model(connection, model)
            row = connection.execute(
                """SELECT first_seq, last_seq FROM chunk
                WHERE model = ? AND gateway = ? AND chunk = ?""",
                (number, gateway, chunk),
            ).fetchone()
            if row is None:
                return ChunkRows([], {}, {})
            span = (number, gateway, *row)
            predictions = _predictions(connection, span, chunk)
            seqs = {prediction.seq for prediction in predictions}
            actuals = _actuals(connection, span)
            scores = _scores(connection, span)
        return ChunkRows(
            predictions,
            {seq: value for seq, value in actuals.items() if seq in seqs},
            scores,
        )

    def write_summaries(
        self, lease: Lease, model: str, dirty: DirtyChunk, rows: Sequence[SummaryRow]
    ) -> None:
        """Replace a chunk's minute summaries by absolute ones."""
        if any((row.gateway, row.chunk) != (dirty.gateway, dirty.chunk) for row in rows):
            raise InvalidInputError(f"Summaries of another chunk than {dirty.chunk}.")
        with self._db.write() as connection:
            check_lease(connection, lease, summarise_task(model))
            number = model_id(connection, model)
            connection.execute(
                "DELETE FROM minute WHERE model = ? AND gateway = ? AND chunk = ?",
                (number, dirty.gateway, dirty.chunk),
            )
            connection.executemany(
                "INSERT INTO minute VALUES (?, ?, ?, ?, ?, ?)",
                ((number, r.version, r.bucket, r.gateway, r.chunk, r.payload) for r in rows),
            )

    def minutes(self, model: str, version: int, start: int, end: int) -> list[tuple[int, bytes]]:
        """Return (minute, payload) of every chunk with start ≤ minute < end, in order."""
        with self._db.read() as connection:
            return connection.execute(
                """SELECT bucket, payload FROM minute WHERE model = ? AND version = ?
                AND bucket >= ? AND bucket < ? ORDER BY bucket, gateway, chunk""",
                (known_model(connection, model), version, start, end),
            ).fetchall()

    def write_rollups(
        self,
        lease: Lease,
        model: str,
        version: int,
        granularity: str,
        rows: Sequence[tuple[int, bytes]],
    ) -> None:
        """Replace the merged summaries of these ``hour`` or ``day`` buckets."""
        with self._db.write() as connection:
            check_lease(connection, lease, summarise_task(model))
            number = model_id(connection, model)
            connection.executemany(
                "INSERT OR REPLACE INTO rollup VALUES (?, ?, ?, ?, ?)",
                ((number, version, granularity, *row) for row in rows),
            )

    def rollups(
        self, model: str, version: int, granularity: str, start: int, end: int
    ) -> list[tuple[int, bytes]]:
        """Return (bucket, payload) of the ``hour`` or ``day`` buckets in a range, in order."""
        with self._db.read() as connection:
            return connection.execute(
                """SELECT bucket, payload FROM rollup WHERE model = ? AND version = ?
                AND granularity = ? AND bucket >= ? AND bucket < ? ORDER BY bucket""",
                (known_model(connection, model), version, granularity, start, end),
            ).fetchall()

    def clear_dirty(self, lease: Lease, model: str, dirty: DirtyChunk) -> None:
        """Clear a chunk's mark, unless it has changed again since."""
        with self._db.write() as connection:
            check_lease(connection, lease, summarise_task(model))
            connection.execute(
                """UPDATE chunk SET summarised = ?1
                WHERE model = ?2 AND gateway = ?3 AND chunk = ?4 AND summarised < ?1""",
                (dirty.mark, known_model(connection, model), dirty.gateway, dirty.chunk),
            )


def _predictions(connection: Connection, span: Span, chunk: int) -> list[PredictionRecord]:
    rows = connection.execute(
        """SELECT record FROM prediction
        WHERE model = ? AND gateway = ? AND seq BETWEEN ? AND ? AND chunk = ? ORDER BY seq""",
        (*span, chunk),
    )
    return [decode_prediction(record) for (record,) in rows]


def _actuals(connection: Connection, span: Span) -> dict[int, Value]:
    """Return the last known actual by seq: it comes last in the order of the key."""
    rows = connection.execute(
        """SELECT of_seq, record FROM actual
        WHERE model = ? AND of_gateway = ? AND of_seq BETWEEN ? AND ?
        ORDER BY of_seq, known_at, received_at, gateway, seq""",
        span,
    )
    return {seq: decode_actual(record).value for seq, record in rows}


def _scores(connection: Connection, span: Span) -> dict[int, dict[int, Score]]:
    rows = connection.execute(
        """SELECT version, seq, record FROM score
        WHERE model = ? AND gateway = ? AND seq BETWEEN ? AND ?""",
        span,
    )
    scores: dict[int, dict[int, Score]] = {}
    for version, seq, record in rows:
        scores.setdefault(version, {})[seq] = decode_score(record)
    return scores
