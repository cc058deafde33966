"""A row that an application could send, from a version's golden rows."""

import math
from datetime import date, datetime
from pathlib import Path
from typing import Any

from tiltyard.scoring.golden import GOLDEN_FILE
from tiltyard.scoring.tables import read_table
from tiltyard.types.schema import CallSchema, Column, ColumnType, Signature

_ANY: dict[ColumnType, Any] = {
    ColumnType.BOOL: False,
    ColumnType.INT64: 0,
    ColumnType.FLOAT64: 0.0,
    ColumnType.STRING: "text",
    ColumnType.DATE: "2024-01-31",
    ColumnType.DATETIME: "2024-01-31T12:00:00Z",
}


def example_row(folder: Path, signature: Signature, schema: CallSchema) -> dict[str, Any]:
    """Return a row as JSON would hold it: the first golden one, and what the model needs beside.

    Args:
        folder: the version's.
        signature: its.
        schema: the model's call schema.
    """
    golden = read_table(folder / GOLDEN_FILE).slice(0, 1).to_pylist()[0]
    used = {column.name for column in signature.inputs}
    inputs = {column.name: _plain(golden[column.name]) for column in signature.inputs}
    row = {name: value for name, value in inputs.items() if value is not None}
    return row | {c.name: _any(c) for c in schema.columns if c.name not in used and not c.nullable}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return None if isinstance(value, float) and math.isnan(value) else value


def _any(column: Column) -> Any:
    return column.levels[0] if column.levels else _ANY.get(column.type, "text")
