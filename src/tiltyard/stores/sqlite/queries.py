"""Questions to the live log; each costs what its window holds."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from tiltyard.stores.base import BATCH_ROWS, Window
from tiltyard.stores.frames import ScoredRow, live_batch, scored_table
from tiltyard.stores.records import (
    Value,
    decode_actual,
    decode_prediction,
    decode_prediction_only,
    decode_score,
)
from tiltyard.stores.sqlite.actuals import LAST_KNOWN
from tiltyard.stores.sqlite.shared import SqlitePart, known_model
from tiltyard.types.schema import CallSchema

LEAST, MOST = -(2**63), 2**63 - 1

_WITHIN = "{row}.model = :model AND {row}.at >= :start AND {row}.at < :end"

SCORED = f"""
SELECT p.at, p.gateway, p.seq, p.received_at, p.version, p.record, NULL,
    {LAST_KNOWN.format(row="p")}
FROM prediction p WHERE p.version = :version AND {_WITHIN.format(row="p")}
UNION ALL
SELECT s.at, s.gateway, s.seq, p.received_at, p.version, NULL, s.record,
    {LAST_KNOWN.format(row="s")}
FROM score s CROSS JOIN prediction p USING (model, gateway, seq)
WHERE s.version = :version AND {_WITHIN.format(row="s")}
ORDER BY 1 DESC, 2 DESC, 3 DESC LIMIT :limit"""  # noqa: S608  only constants

_LIVE = f"""
SELECT p.at, p.gateway, p.seq, p.record, {LAST_KNOWN.format(row="p")} AS actual
FROM prediction p WHERE p.model = :model AND p.at < :end
AND (p.at, p.gateway, p.seq) > (:at, :gateway, :seq)"""  # noqa: S608  likewise

LIVE = f"{_LIVE} ORDER BY p.at, p.gateway, p.seq LIMIT {BATCH_ROWS}"
LIVE_WITH_ACTUALS = (
    f"SELECT * FROM ({_LIVE} ORDER BY p.at, p.gateway, p.seq) "  # noqa: S608  likewise
    f"WHERE actual IS NOT NULL LIMIT {BATCH_ROWS}"
)


class Queries(SqlitePart):
    """Frames of live rows, and counts."""

    def scored(
        self, model: str, version: int, window: Window, limit: int | None = None
    ) -> pa.Table:
        """Return the live rows that a version answered or followed, by bucket time."""
        with self._db.read() as connection:
            values = {
                **_bounds(window),
                "model": known_model(connection, model),
                "version": version,
                "limit": MOST if limit is None else limit,
            }
            rows = [_scored_row(*row) for row in connection.execute(SCORED, values)]
        rows.reverse()
        return scored_table(rows)

    def live_rows(
        self, model: str, schema: CallSchema, window: Window, *, with_actuals_only: bool = False
    ) -> Iterator[pa.RecordBatch]:
        """Yield rows as sent, typed by the call schema, plus the target's last known actual.

        They come by bucket time. Each batch is read in a moment of its own, so that a slow
        reader holds nobody up.
        """
        query = LIVE_WITH_ACTUALS if with_actuals_only else LIVE
        values = _bounds(window)
        values |= {"at": values["start"], "gateway": -1, "seq": -1}
        while rows := self._live_page(query, model, values):
            yield live_batch([_live_row(row[3], row[4]) for row in rows], schema)
            values |= dict(zip(("at", "gateway", "seq"), rows[-1][:3], strict=True))

    def event_range(self, model: str) -> tuple[int, int] | None:
        """Return the oldest and newest bucket time of the live log."""
        with self._db.read() as connection:
            oldest, newest = connection.execute(
                """SELECT (SELECT min(at) FROM prediction WHERE model = ?1),
                (SELECT max(at) FROM prediction WHERE model = ?1)""",
                (known_model(connection, model),),
            ).fetchone()
        return None if oldest is None else (oldest, newest)

    def counts(self, model: str) -> dict[str, int]:
        """Return ``predictions``, ``with_actual``, ``unknown_actuals`` (ids not in the log)."""
        names = ("predictions", "with_actual", "unknown_actuals")
        with self._db.read() as connection:
            row = connection.execute(
                "SELECT predictions, with_actual, unknown_actuals FROM model WHERE name = ?",
                (model,),
            ).fetchone()
        return dict(zip(names, row or (0, 0, 0), strict=True))

    def _live_page(self, query: str, model: str, values: dict[str, int]) -> list[Any]:
        with self._db.read() as connection:
            numbered = {**values, "model": known_model(connection, model)}
            return connection.execute(query, numbered).fetchall()


def _bounds(window: Window) -> dict[str, int]:
    return {
        "start": LEAST if window.start is None else window.start,
        "end": MOST if window.end is None else window.end,
        "known_by": MOST if window.known_by is None else window.known_by,
    }


def _scored_row(
    at: int,
    gateway: int,
    seq: int,
    received_at: int,
    version: int,
    prediction: bytes | None,
    score: bytes | None,
    actual: bytes | None,
) -> ScoredRow:
    known = decode_actual(actual) if actual else None
    if prediction:
        made = decode_prediction_only(prediction)
        value, probabilities, refusal = made.value, made.probabilities, None
    else:
        followed = decode_score(score or b"")
        value, probabilities = followed.value, followed.probabilities
        refusal = followed.refusal
    return ScoredRow(gateway, seq, at, received_at, version, value, probabilities, refusal, known)


def _live_row(record: bytes, actual: bytes | None) -> tuple[dict[str, Any], Value | None]:
    return decode_prediction(record).row, decode_actual(actual).value if actual else None
