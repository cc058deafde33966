"""The live log: appending to it, reading on from a cursor."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from tiltyard.errors import InvalidInputError
from tiltyard.stores.base import Lease, relay_task
from tiltyard.stores.records import bucket_time, chunk_of, decode_prediction
from tiltyard.stores.sqlite.actuals import keep_actuals, resolve_waiting
from tiltyard.stores.sqlite.shared import SqlitePart, check_lease, known_model, model_id
from tiltyard.types.records import ActualRecord, LogRecord, PredictionRecord, encode_record

Writing = sqlite3.Connection


class Log(SqlitePart):
    """Predictions and actuals as the relay brings them."""

    def append(self, lease: Lease, gateway: int, records: Sequence[LogRecord]) -> int:
        """Keep records and move the watermark, in one transaction; return how many were new."""
        if any(record.gateway != gateway for record in records):
            raise InvalidInputError(f"Records of another gateway than {gateway} in one batch.")
        with self._db.write() as connection:
            check_lease(connection, lease, relay_task(gateway))
            new = sum(_keep(connection, *batch) for batch in _by_model(records))
            if records:
                _move_watermark(connection, gateway, max(record.seq for record in records))
        return new

    def watermarks(self) -> dict[int, int]:
        """Return for each gateway the seq up to which everything is kept."""
        with self._db.read() as connection:
            return dict(connection.execute("SELECT number, watermark FROM gateway"))

    def log(
        self, model: str, gateway: int, after: int, limit: int, upto: int | None = None
    ) -> list[PredictionRecord]:
        """Return predictions with after < seq ≤ upto (default: the watermark), in order."""
        with self._db.read() as connection:
            rows = connection.execute(
                """SELECT p.record FROM prediction p JOIN gateway g ON g.number = p.gateway
                WHERE p.model = ? AND p.gateway = ? AND p.seq > ?
                AND p.seq <= min(g.watermark, ?) ORDER BY p.seq LIMIT ?""",
                (known_model(connection, model), gateway, after, _or_last(upto), limit),
            ).fetchall()
        return [decode_prediction(record) for (record,) in rows]

    def position(self, model: str, at: int) -> dict[int, int]:
        """Return the cursor just before each gateway's first row with bucket time ≥ ``at``.

        A gateway without such a row stands at its watermark.
        """
        with self._db.read() as connection:
            number = known_model(connection, model)
            cursor = dict(connection.execute("SELECT number, watermark FROM gateway"))
            for gateway in cursor:
                first = _first_from(connection, number, gateway, at)
                if first is not None:
                    cursor[gateway] = first - 1
        return cursor


def _by_model(
    records: Iterable[LogRecord],
) -> Iterator[tuple[str, list[PredictionRecord], list[ActualRecord]]]:
    predictions: dict[str, list[PredictionRecord]] = defaultdict(list)
    actuals: dict[str, list[ActualRecord]] = defaultdict(list)
    for record in records:
        if isinstance(record, PredictionRecord):
            predictions[record.model].append(record)
        else:
            actuals[record.model].append(record)
    for model in predictions.keys() | actuals.keys():
        yield model, predictions[model], actuals[model]


def _keep(
    connection: Writing,
    model: str,
    predictions: list[PredictionRecord],
    actuals: list[ActualRecord],
) -> int:
    """Keep one model's records; predictions first, so that actuals of the same batch find them."""
    number = model_id(connection, model)
    new = _without_kept(connection, number, predictions)
    _insert(connection, number, new)
    _touch_chunks(connection, number, new)
    resolve_waiting(connection, number, new)
    connection.execute(
        "UPDATE model SET predictions = predictions + ? WHERE id = ?", (len(new), number)
    )
    return len(new) + keep_actuals(connection, number, actuals)


def _without_kept(
    connection: Writing, model: int, records: list[PredictionRecord]
) -> list[PredictionRecord]:
    if not records:
        return []
    seqs = [record.seq for record in records]
    rows = connection.execute(
        "SELECT seq FROM prediction WHERE model = ? AND gateway = ? AND seq BETWEEN ? AND ?",
        (model, records[0].gateway, min(seqs), max(seqs)),
    )
    kept = {seq for (seq,) in rows}
    unique = {record.seq: record for record in records if record.seq not in kept}
    return list(unique.values())


def _insert(connection: Writing, model: int, records: Iterable[PredictionRecord]) -> None:
    connection.executemany(
        "INSERT INTO prediction VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                model,
                r.gateway,
                r.seq,
                chunk_of(r),
                bucket_time(r),
                r.received_at,
                r.version,
                encode_record(r),
            )
            for r in records
        ),
    )


def _touch_chunks(connection: Writing, model: int, records: Iterable[PredictionRecord]) -> None:
    chunks: dict[tuple[int, int], list[PredictionRecord]] = defaultdict(list)
    for record in records:
        chunks[record.gateway, chunk_of(record)].append(record)
    for (gateway, chunk), rows in chunks.items():
        seqs = [row.seq for row in rows]
        connection.execute(
            """INSERT INTO chunk (model, gateway, chunk, first_seq, last_seq, max_at)
            VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET mark = mark + 1,
            first_seq = min(first_seq, excluded.first_seq),
            last_seq = max(last_seq, excluded.last_seq), max_at = max(max_at, excluded.max_at)""",
            (model, gateway, chunk, min(seqs), max(seqs), max(map(bucket_time, rows))),
        )


def _move_watermark(connection: Writing, gateway: int, seq: int) -> None:
    connection.execute(
        """INSERT INTO gateway VALUES (?, ?)
        ON CONFLICT DO UPDATE SET watermark = max(watermark, excluded.watermark)""",
        (gateway, seq),
    )


def _first_from(connection: Writing, model: int, gateway: int, at: int) -> int | None:
    """Return the seq of the first row with bucket time ≥ at, found through its chunk."""
    chunk = connection.execute(
        """SELECT first_seq, last_seq FROM chunk
        WHERE model = ? AND gateway = ? AND max_at >= ? ORDER BY chunk LIMIT 1""",
        (model, gateway, at),
    ).fetchone()
    if chunk is None:
        return None
    (first,) = connection.execute(
        """SELECT min(seq) FROM prediction
        WHERE model = ? AND gateway = ? AND seq BETWEEN ? AND ? AND at >= ?""",
        (model, gateway, *chunk, at),
    ).fetchone()
    return int(first)


def _or_last(upto: int | None) -> int:
    return 2**63 - 1 if upto is None else upto
