"""Rows of a call into what a scorer's batch holds: packed doubles, and the other columns."""

import struct
from collections.abc import Callable, Sequence
from datetime import date
from math import nan
from operator import attrgetter
from typing import Any

from msgspec import UNSET

from tiltyard.types.schema import Column, ColumnType, Signature, UnknownLevel

Others = list[tuple[Any, ...]]
"""The values of the columns that are not float64, row by row."""


class Packer:
    """Packs rows by a signature.

    Args:
        signature: of the version that scores.
        columns: of the rows' struct, whose fields are ``f0`` … in this order.
    """

    def __init__(self, signature: Signature, columns: Sequence[Column]) -> None:
        field = {column.name: f"f{i}" for i, column in enumerate(columns)}
        floats = [c for c in signature.inputs if c.type is ColumnType.FLOAT64]
        others = [c for c in signature.inputs if c.type is not ColumnType.FLOAT64]
        self._pack = struct.Struct(f"<{len(floats)}d").pack
        self._floats = tuple_getter([field[c.name] for c in floats])
        self._others = tuple_getter([field[c.name] for c in others]) if others else None
        self._convert = [_converter(c) for c in others]
        self._plain = all(c is None for c in self._convert)

    def numeric(self, rows: Sequence[Any]) -> bytes:
        """Return the float64 inputs of all rows, row by row; missing is NaN."""
        pack, floats = self._pack, self._floats
        try:
            return b"".join([pack(*floats(row)) for row in rows])
        except struct.error:  # a missing value
            return b"".join([pack(*_with_nan(floats(row))) for row in rows])

    def others(self, rows: Sequence[Any]) -> Others | None:
        """Return the other inputs of each row; missing is None. None if there are none."""
        if self._others is None:
            return None
        return [self._other(self._others(row)) for row in rows]

    def _other(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if self._plain and UNSET not in values:
            return values
        return tuple(
            None if v is UNSET or v is None else (v if convert is None else convert(v))
            for v, convert in zip(values, self._convert, strict=True)
        )


def row_bytes(signature: Signature) -> int:
    """Return how many bytes the packed doubles of one row are."""
    return 8 * sum(column.type is ColumnType.FLOAT64 for column in signature.inputs)


def tuple_getter(fields: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function from a struct to the tuple of these fields, however many they are."""
    if not fields:
        return lambda _: ()
    get = attrgetter(*fields)
    return get if len(fields) > 1 else lambda row: (get(row),)


def _with_nan(values: tuple[Any, ...]) -> list[float]:
    return [nan if v is None or v is UNSET else v for v in values]


def _converter(column: Column) -> Callable[[Any], Any] | None:
    if column.type is ColumnType.DATE:
        return date.isoformat
    if column.levels is not None and column.unknown is UnknownLevel.MISSING:
        known = frozenset(column.levels)
        return lambda level: level if level in known else None
    return None
