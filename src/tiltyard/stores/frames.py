"""Rows of the log as Arrow columns, the same for every store."""

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pyarrow as pa

from tiltyard.stores.canonical import TIMESTAMP
from tiltyard.stores.records import Value
from tiltyard.types.records import ActualRecord
from tiltyard.types.schema import CallSchema, ColumnType

log = logging.getLogger(__name__)

ARROW: dict[ColumnType, pa.DataType] = {
    ColumnType.BOOL: pa.bool_(),
    ColumnType.INT64: pa.int64(),
    ColumnType.FLOAT64: pa.float64(),
    ColumnType.STRING: pa.string(),
    ColumnType.CATEGORY: pa.string(),
    ColumnType.DATE: pa.date32(),
    ColumnType.DATETIME: TIMESTAMP,
}
"""What a column of each type is in Arrow."""


class ScoredRow(msgspec.Struct, frozen=True, gc=False):
    """A live row as a version predicted it, with the actual that counts."""

    gateway: int
    seq: int
    at: int
    received_at: int
    version_answered: int
    value: Value | None
    probabilities: list[float] | None
    refusal: str | None
    actual: ActualRecord | None


def scored_table(rows: Sequence[ScoredRow]) -> pa.Table:
    """Return the table that ``Store.scored`` promises."""
    whole = ("gateway", "seq", "at", "received_at", "version_answered")
    columns = {name: pa.array([getattr(r, name) for r in rows], pa.int64()) for name in whole}
    columns["value"] = value_array([row.value for row in rows])
    classes = max((len(row.probabilities or ()) for row in rows), default=0)
    for i in range(classes):
        columns[f"p{i}"] = pa.array(
            [row.probabilities[i] if row.probabilities else None for row in rows], pa.float64()
        )
    columns["refusal"] = pa.array([row.refusal for row in rows], pa.string())
    actuals = [row.actual for row in rows]
    columns["actual"] = value_array([actual.value if actual else None for actual in actuals])
    columns["known_at"] = pa.array([a.known_at if a else None for a in actuals], pa.int64())
    return pa.table(columns)


def value_array(values: Sequence[Value | None]) -> pa.Array:
    """Return predictions or actuals as bool, float64 or, when any is one, text; NaN is null."""
    present = [value for value in values if value is not None]
    if any(isinstance(value, str) for value in present):
        return pa.array([None if v is None else str(v) for v in values], pa.string())
    if present and all(isinstance(value, bool) for value in present):
        return pa.array(values, pa.bool_())
    return _typed(values, _float, pa.float64())


def live_batch(
    rows: Sequence[tuple[dict[str, Any], Value | None]], schema: CallSchema
) -> pa.RecordBatch:
    """Return rows as sent and their actuals, typed by the call schema, the target last."""
    columns = {
        column.name: typed_array([row.get(column.name) for row, _ in rows], column.type)
        for column in schema.columns
    }
    columns[schema.target] = typed_array([actual for _, actual in rows], schema.target_type)
    return pa.record_batch(columns)


def typed_array(values: Iterable[Any], kind: ColumnType) -> pa.Array:
    """Return values as a column; NaN, and what the type cannot hold, is null.

    The gateway refuses what does not fit, so this is only met when a schema was changed by hand.
    """
    return _typed(values, _CONVERTERS[kind], ARROW[kind])


def _typed(values: Iterable[Any], convert: Callable[[Any], Any], kind: pa.DataType) -> pa.Array:
    converted = []
    misfits = 0
    for value in values:
        try:
            converted.append(None if value is None else convert(value))
        except (ValueError, TypeError, OverflowError):
            converted.append(None)
            misfits += 1
    if misfits:
        log.warning("%d values do not fit %s and count as missing", misfits, kind)
    return pa.array(converted, kind)


def _bool(value: Any) -> bool:
    if value in {0, 1}:
        return bool(value)
    raise ValueError


def _int(value: Any) -> int:
    whole = int(value)
    if whole != value or not -(2**63) <= whole < 2**63:
        raise ValueError
    return whole


def _float(value: Any) -> float | None:
    number = float(value)
    return None if math.isnan(number) else number


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _date(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)


def _datetime(value: Any) -> datetime:
    instant = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    if instant.tzinfo is None:
        raise ValueError
    return instant.astimezone(UTC)


_CONVERTERS: dict[ColumnType, Callable[[Any], Any]] = {
    ColumnType.BOOL: _bool,
    ColumnType.INT64: _int,
    ColumnType.FLOAT64: _float,
    ColumnType.STRING: _text,
    ColumnType.CATEGORY: _text,
    ColumnType.DATE: _date,
    ColumnType.DATETIME: _datetime,
}
