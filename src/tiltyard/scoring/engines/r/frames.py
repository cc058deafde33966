"""Builds the data frame that an R model saw at training from a batch, as bytes for R.

A version's ``dtypes`` say for each input: ``double``, ``integer``, ``logical``, ``factor`` (with
the signature's levels; any other level reads as missing), ``character``, ``Date`` or ``POSIXct``
(UTC).
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from tiltyard.scoring.engines.base import Doubles, LoadError
from tiltyard.scoring.engines.columns import BatchColumns
from tiltyard.scoring.engines.r import values as r
from tiltyard.scoring.rows import EPOCH, RowError
from tiltyard.types.schema import Column, ColumnType, Signature

EXACT = 2**53
"""Up to this every integer is a double."""

_INTEGER = 2**31
_DAY_0 = date(1970, 1, 1).toordinal()
_MICROSECOND = timedelta(microseconds=1)
_DATE = r.tagged(**{"class": r.texts(["Date"], 1)})
_INSTANT = r.tagged(**{"class": r.texts(["POSIXct", "POSIXt"], 2), "tzone": r.texts(["UTC"], 1)})

Encode = Callable[[list[Any]], bytes]


class RFrames:
    """Builds frames of one signature.

    Args:
        signature: whose inputs the columns are, in its order.
        dtypes: input → R's type, see above.

    Raises:
        LoadError: a type is missing, or not one for its column.
    """

    def __init__(self, signature: Signature, dtypes: dict[str, str]) -> None:
        self._columns = BatchColumns(signature)
        self._names = [c.name for c in signature.inputs]
        self._encoders = {c.name: _encoder(c, dtypes.get(c.name)) for c in signature.inputs}
        self._attributes = r.tagged(
            names=r.texts(self._names, len(self._names)), **{"class": r.texts(["data.frame"], 1)}
        ).removesuffix(r.NULL)

    def build(self, n: int, numeric: bytes, others: list[list[Any]]) -> bytes:
        """Return n rows, serialized; see `frames.Batch` for the arguments.

        Raises:
            RowError: naming a row and the column that does not fit.
        """
        matrix = self._columns.matrix(n, numeric)
        columns = {c.name: r.doubles(matrix[:, i]) for i, c in enumerate(self._columns.numeric)}
        for name, values in self._columns.lists(others).items():
            columns[name] = self._encoders[name](values)
        rows = r.tagged(row_names=r.integers(np.array([r.NA_INTEGER, -n], dtype=np.int32)))
        frame = r.items([columns[name] for name in self._names], self._attributes + rows)
        return r.HEADER + frame

    def missing(self, numeric: bytes, others: list[list[Any]], row: int) -> list[str]:
        """Return the names of the inputs that a row of a batch lacks."""
        start = row * len(self._columns.numeric)
        doubles = np.frombuffer(numeric, dtype="<f8")[start:]
        lacking = [c.name for i, c in enumerate(self._columns.numeric) if np.isnan(doubles[i])]
        others_of_row = zip(self._columns.others, others, strict=True)
        return lacking + [c.name for c, values in others_of_row if values[row] is None]


def _encoder(column: Column, dtype: str | None) -> Encode:
    fitting = _ENCODERS[column.type]
    if dtype is None or dtype not in fitting:
        raise LoadError(
            f"Input {column.name!r} is a {column.type.value}, which version.json gives the R type "
            f"{dtype!r} instead of {' or '.join(fitting)}: log the model again."
        )
    return fitting[dtype](column)


def _doubles(column: Column) -> Encode:
    def encode(values: list[Any]) -> bytes:
        _check_exact(column, values)
        return r.doubles(_floats(values))

    return encode


def _integers(column: Column) -> Encode:
    doubles = _doubles(column)

    def encode(values: list[Any]) -> bytes:
        # R itself goes from integers to doubles where a number is too large for them.
        if any(v is not None and not -_INTEGER < v < _INTEGER for v in values):
            return doubles(values)
        return r.integers(_int32(values))

    return encode


def _logicals(_column: Column) -> Encode:
    return lambda values: r.logicals(_int32(values))


def _factors(column: Column) -> Encode:
    levels = column.levels or ()
    codes = {level: code for code, level in enumerate(levels, 1)}
    attributes = r.tagged(levels=r.texts(levels, len(levels)), **{"class": r.texts(["factor"], 1)})
    return lambda values: r.integers(_int32([codes.get(v) for v in values]), attributes)


def _texts(column: Column) -> Encode:
    def encode(values: list[Any]) -> bytes:
        for row, value in enumerate(values):
            if value is not None and "\0" in value:
                raise RowError(
                    row, f"column {column.name!r} holds a NUL, which R cannot.", column.name
                )
        return r.texts(values, len(values))

    return encode


def _dates(_column: Column) -> Encode:
    return lambda values: r.doubles(_floats([v and _day(v) for v in values]), _DATE)


def _instants(_column: Column) -> Encode:
    return lambda values: r.doubles(_floats([v and _seconds(v) for v in values]), _INSTANT)


def _day(text: str) -> int:
    return date.fromisoformat(text).toordinal() - _DAY_0


def _seconds(at: datetime) -> float:
    return (at - EPOCH) // _MICROSECOND / 1e6


def _floats(values: Sequence[float | None]) -> Doubles:
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)


def _int32(values: list[Any]) -> r.Integers:
    return np.array([r.NA_INTEGER if v is None else v for v in values], dtype=np.int32)


def _check_exact(column: Column, values: list[Any]) -> None:
    for row, value in enumerate(values):
        if value is not None and not -EXACT <= value <= EXACT:
            raise RowError(
                row,
                f"column {column.name!r} holds {value}, which is beyond 2^53: R cannot hold it.",
                column.name,
            )


_ENCODERS: dict[ColumnType, dict[str, Callable[[Column], Encode]]] = {
    ColumnType.FLOAT64: {"double": _doubles},
    ColumnType.INT64: {"integer": _integers, "double": _doubles},
    ColumnType.BOOL: {"logical": _logicals},
    ColumnType.CATEGORY: {"factor": _factors, "character": _texts},
    ColumnType.STRING: {"character": _texts},
    ColumnType.DATE: {"Date": _dates},
    ColumnType.DATETIME: {"POSIXct": _instants},
}
