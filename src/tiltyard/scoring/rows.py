"""Rows of values into the columns of a batch, by a signature."""

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from math import nan
from typing import Any

from tiltyard.errors import InvalidInputError
from tiltyard.types.schema import Column, ColumnType, Signature

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RowError(InvalidInputError):
    """A row does not fit the signature; ``details`` holds row and column."""

    code = "bad_row"

    def __init__(self, row: int, message: str, column: str | None = None) -> None:
        super().__init__(f"Row {row}: {message}", row=row, column=column)
        self.row = row
        self.reason = message
        self.column = column

    def moved_by(self, rows: int) -> "RowError":
        """Return the same error for a row so many further on."""
        return RowError(self.row + rows, self.reason, self.column)


def split_columns(signature: Signature) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the indexes of the float64 inputs and of the others, in the signature's order."""
    numeric = [i for i, c in enumerate(signature.inputs) if c.type is ColumnType.FLOAT64]
    others = [i for i, c in enumerate(signature.inputs) if c.type is not ColumnType.FLOAT64]
    return tuple(numeric), tuple(others)


def pack_rows(
    signature: Signature, rows: Sequence[Mapping[str, Any]]
) -> tuple[bytes, list[list[Any]]]:
    """Pack rows into ``numeric`` and ``others`` of a batch.

    A missing key, None and NaN are missing. Dates may be `date` or ISO text; datetimes may be
    aware `datetime`, RFC 3339 text with an offset or UTC microseconds. Columns that the
    signature does not name are left out.

    Raises:
        RowError: naming the row, the column and what it should have been.
    """
    numeric, others = split_columns(signature)
    columns = signature.inputs
    floats = [_column(columns[i], rows) for i in numeric]
    flat = [value for row in zip(*floats, strict=True) for value in row]
    return struct.pack(f"<{len(flat)}d", *flat), [_column(columns[i], rows) for i in others]


def _column(column: Column, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    convert = _CONVERTERS[column.type]
    name = column.name
    missing = nan if column.type is ColumnType.FLOAT64 else None
    values = []
    for i, row in enumerate(rows):
        value = row.get(name)
        if value is None or value != value:  # noqa: PLR0124  NaN, without caring for its type
            values.append(missing)
            continue
        try:
            values.append(convert(value))
        except (TypeError, ValueError, OverflowError):
            raise RowError(
                i, f"column {name!r} holds {value!r}, which is no {column.type.value}.", name
            ) from None
    return values


def _float(value: Any) -> float:
    if isinstance(value, bool | str):
        raise TypeError
    return float(value)


def _int(value: Any) -> int:
    if isinstance(value, bool | str):
        raise TypeError
    number = int(value)
    if number != value or not -(2**63) <= number < 2**63:
        raise ValueError
    return number


def _bool(value: Any) -> bool:
    if value not in (True, False) or isinstance(value, float):
        raise ValueError
    return bool(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return str(value)


def _date(value: Any) -> str:
    if isinstance(value, datetime):
        raise TypeError
    return value.isoformat() if isinstance(value, date) else date.fromisoformat(value).isoformat()


def _datetime(value: Any) -> datetime:
    if isinstance(value, int) and not isinstance(value, bool):
        return EPOCH + timedelta(microseconds=value)
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(at, datetime) or at.utcoffset() is None:
        raise ValueError
    return at.astimezone(UTC)


_CONVERTERS: dict[ColumnType, Callable[[Any], Any]] = {
    ColumnType.BOOL: _bool,
    ColumnType.INT64: _int,
    ColumnType.FLOAT64: _float,
    ColumnType.STRING: _text,
    ColumnType.CATEGORY: _text,
    ColumnType.DATE: _date,
    ColumnType.DATETIME: _datetime,
}
