"""Actuals: append-only, by when they became known; the last known one counts."""

import sqlite3
from collections.abc import Iterable, Sequence

from tiltyard.types.records import ActualRecord, PredictionRecord, encode_record

LAST_KNOWN = """(SELECT record FROM actual
    WHERE model = {row}.model AND of_gateway = {row}.gateway AND of_seq = {row}.seq
    AND known_at <= :known_by
    ORDER BY known_at DESC, received_at DESC, gateway DESC, seq DESC LIMIT 1)"""
"""The actual that counts for a row of the query around it; one index look-up."""


def keep_actuals(
    connection: sqlite3.Connection, model: int, actuals: Iterable[ActualRecord]
) -> int:
    """Keep actuals once, mark the chunks of their predictions, count; return how many were new."""
    new = 0
    for actual in actuals:
        first = not _waits(connection, model, actual.of_gateway, actual.of_seq)
        if not _insert(connection, model, actual):
            continue
        new += 1
        known = _mark_chunk(connection, model, actual)
        if first:
            _count(connection, model, with_actual=int(known), unknown=int(not known))
    return new


def resolve_waiting(
    connection: sqlite3.Connection, model: int, predictions: Sequence[PredictionRecord]
) -> None:
    """Count the waiting actuals of predictions that have just come as known."""
    (unknown,) = connection.execute(
        "SELECT unknown_actuals FROM model WHERE id = ?", (model,)
    ).fetchone()
    if unknown:
        found = sum(_waits(connection, model, p.gateway, p.seq) for p in predictions)
        _count(connection, model, with_actual=found, unknown=-found)


def _waits(connection: sqlite3.Connection, model: int, gateway: int, seq: int) -> bool:
    query = "SELECT 1 FROM actual WHERE model = ? AND of_gateway = ? AND of_seq = ? LIMIT 1"
    return connection.execute(query, (model, gateway, seq)).fetchone() is not None


def _insert(connection: sqlite3.Connection, model: int, actual: ActualRecord) -> bool:
    cursor = connection.execute(
        "INSERT INTO actual VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            model,
            actual.of_gateway,
            actual.of_seq,
            actual.known_at,
            actual.received_at,
            actual.gateway,
            actual.seq,
            encode_record(actual),
        ),
    )
    return cursor.rowcount > 0


def _mark_chunk(connection: sqlite3.Connection, model: int, actual: ActualRecord) -> bool:
    """Mark the chunk of an actual's prediction as changed; whether there is the prediction."""
    cursor = connection.execute(
        """UPDATE chunk SET mark = mark + 1 WHERE model = ?1 AND gateway = ?2 AND chunk =
        (SELECT chunk FROM prediction WHERE model = ?1 AND gateway = ?2 AND seq = ?3)""",
        (model, actual.of_gateway, actual.of_seq),
    )
    return cursor.rowcount > 0


def _count(connection: sqlite3.Connection, model: int, *, with_actual: int, unknown: int) -> None:
    connection.execute(
        """UPDATE model SET with_actual = with_actual + ?,
        unknown_actuals = unknown_actuals + ? WHERE id = ?""",
        (with_actual, unknown, model),
    )
