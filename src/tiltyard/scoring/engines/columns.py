"""The columns of a batch, checked and with unknown levels seen to."""

import math
from datetime import datetime
from typing import Any

import numpy as np

from tiltyard.scoring.engines.base import Doubles
from tiltyard.scoring.rows import RowError, split_columns
from tiltyard.types.schema import Column, ColumnType, Signature, UnknownLevel

_TYPES: dict[ColumnType, type] = {
    ColumnType.BOOL: bool,
    ColumnType.INT64: int,
    ColumnType.STRING: str,
    ColumnType.CATEGORY: str,
    ColumnType.DATE: str,
    ColumnType.DATETIME: datetime,
}


class BatchColumns:
    """Turns a batch into a matrix of doubles and lists of values.

    Args:
        signature: whose inputs the batches hold.
    """

    def __init__(self, signature: Signature) -> None:
        numeric, others = split_columns(signature)
        self.numeric = tuple(signature.inputs[i] for i in numeric)
        self.others = tuple(signature.inputs[i] for i in others)
        self._known = {c.name: frozenset(c.levels or ()) for c in self.others}

    def matrix(self, n: int, numeric: bytes) -> Doubles:
        """Return the float64 inputs, n x k, in memory of their own.

        Raises:
            RowError: NaN where training saw none.
        """
        flat = np.frombuffer(numeric, dtype="<f8")
        matrix = flat.reshape(n, len(self.numeric)).astype(np.float64)
        if math.isnan(np.minimum.reduce(flat, initial=0.0)):  # a quick look, then a thorough one
            self._check_missing_doubles(matrix)
        return matrix

    def lists(self, others: list[list[Any]]) -> dict[str, list[Any]]:
        """Return the other inputs by name, with each level as its column's policy wants it.

        Raises:
            RowError: a missing value where none may be, another type, a refused level.
        """
        return {c.name: self._list(c, v) for c, v in zip(self.others, others, strict=True)}

    def _check_missing_doubles(self, matrix: Doubles) -> None:
        for row, place in np.argwhere(np.isnan(matrix)):
            _check_missing(int(row), self.numeric[place])

    def _list(self, column: Column, values: list[Any]) -> list[Any]:
        expected = _TYPES[column.type]
        for row, value in enumerate(values):
            if value is None:
                _check_missing(row, column)
            elif type(value) is not expected:
                raise RowError(row, f"column {column.name!r} holds no {column.type}.", column.name)
        if column.type is not ColumnType.CATEGORY or column.unknown is UnknownLevel.PASS:
            return values
        return self._known_levels(column, values)

    def _known_levels(self, column: Column, values: list[Any]) -> list[Any]:
        known = self._known[column.name]
        if column.unknown is UnknownLevel.REFUSE:
            for row, value in enumerate(values):
                if value is not None and value not in known:
                    raise RowError(
                        row, f"column {column.name!r} has no level {value!r}.", column.name
                    )
        return [value if value in known else None for value in values]


def _check_missing(row: int, column: Column) -> None:
    # A known level may be missing by its policy, so only the other types can be held to it.
    if not column.nullable and column.unknown is not UnknownLevel.MISSING:
        raise RowError(row, f"column {column.name!r} is missing.", column.name)
