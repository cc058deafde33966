"""DataFrames ↔ Arrow batches in the types of the wire, exactly."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from tiltyard.client.wire import BATCH_ROWS, levels_of, wire_array, with_levels
from tiltyard.errors import InvalidInputError

_KINDS: tuple[tuple[str, tuple[type, ...]], ...] = (
    # A bool is an int and a datetime is a date to isinstance: the narrow one comes first.
    ("bool", (bool, np.bool_)),
    ("int", (int, np.integer)),
    ("float", (float, np.floating)),
    ("text", (str,)),
    ("datetime", (datetime, np.datetime64)),
    ("date", (date,)),
)


def to_batches(frame: pd.DataFrame) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Return a frame's wire schema and its rows in batches; the index is left out.

    Raises:
        InvalidInputError: naming the column that has no exact wire type.
    """
    _check_names(frame)
    columns = [_column(str(name), frame[name]) for name in frame.columns]
    fields = [
        _field(str(name), column.type, frame[name])
        for name, column in zip(frame.columns, columns, strict=True)
    ]
    schema = pa.schema(fields)
    table = pa.Table.from_arrays(columns, schema=schema)
    return schema, iter(table.to_batches(max_chunksize=BATCH_ROWS))


def to_frame(batches: Iterable[pa.RecordBatch]) -> pd.DataFrame:
    """Return batches as a DataFrame.

    int64 and bool with missing values become the nullable types ``Int64`` and ``boolean``,
    so that no value changes; a column with levels becomes a category.
    """
    table = pa.Table.from_batches(list(batches))
    columns = {name: _series(table.schema.field(name), table[name]) for name in table.schema.names}
    return pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows))


def _check_names(frame: pd.DataFrame) -> None:
    if not len(frame.columns):
        raise InvalidInputError("The frame has no columns.")
    names: list[object] = list(frame.columns)
    for name in names:
        if not isinstance(name, str) or not name:
            raise InvalidInputError(
                f"Column {name!r} has no text as its name: frame.columns = "
                "frame.columns.astype(str) names them all.",
                column=str(name),
            )
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise InvalidInputError(f"Column {twice[0]!r} is there twice.", column=twice[0])


def _column(name: str, series: "pd.Series[Any]") -> Any:
    if isinstance(series.dtype, pd.CategoricalDtype):
        _check_categories(name, series)
        series = series.astype(object)
    if series.dtype == object:
        _check_objects(name, series)
    try:
        array = pa.array(series, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError) as why:
        raise InvalidInputError(f"Column {name!r} cannot be written: {why}.", column=name) from None
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_null(array.type):
        raise InvalidInputError(
            f"Column {name!r} holds no value at all, so it has no type: "
            f"drop it or give it one, for example frame[{name!r}].astype('Float64').",
            column=name,
        )
    return wire_array(name, array)


def _check_categories(name: str, series: "pd.Series[Any]") -> None:
    wrong = [level for level in series.cat.categories if not isinstance(level, str)]
    if wrong:
        raise InvalidInputError(
            f"Column {name!r} is a category whose levels are no text, such as {wrong[0]!r}: "
            f"use frame[{name!r}].astype(str).astype('category'), or keep it a number.",
            column=name,
        )


def _check_objects(name: str, series: "pd.Series[Any]") -> None:
    kinds = {_kind(value) for value in series[series.notna()]}
    if len(kinds) > 1:
        raise InvalidInputError(
            f"Column {name!r} mixes {', '.join(sorted(kinds))}: make it one type.", column=name
        )


def _kind(value: object) -> str:
    return next((kind for kind, types in _KINDS if isinstance(value, types)), type(value).__name__)


def _field(name: str, kind: pa.DataType, series: "pd.Series[Any]") -> pa.Field:
    field = pa.field(name, kind)
    if isinstance(series.dtype, pd.CategoricalDtype):
        return with_levels(field, series.cat.categories)
    return field


_NULLABLE = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}


def _series(field: pa.Field, column: pa.ChunkedArray) -> "pd.Series[Any]":
    levels = levels_of(field)
    if levels is not None:
        return _categorical(column, levels)
    series: pd.Series[Any] = column.to_pandas(
        types_mapper=_NULLABLE.get if column.null_count else None
    )
    return series


def _categorical(column: pa.ChunkedArray, levels: list[str]) -> "pd.Series[Any]":
    # A level that came later must not turn into a missing value.
    known = set(levels)
    more = sorted(v for v in column.unique().to_pylist() if v is not None and v not in known)
    return pd.Series(pd.Categorical(column.to_pandas(), categories=[*levels, *more]))
