"""DataFrames of inputs as Arrow tables typed by a signature."""

from typing import Any

import pandas as pd
import pyarrow as pa

from tiltyard.errors import InvalidInputError
from tiltyard.scoring.tables import ARROW
from tiltyard.types.schema import Column, ColumnType, Signature


def input_table(signature: Signature, frame: pd.DataFrame) -> pa.Table:
    """Return a frame's inputs as a table in the signature's types and order.

    Raises:
        InvalidInputError: naming a column that is missing or of another type.
    """
    arrays = [_array(column, frame) for column in signature.inputs]
    return pa.Table.from_arrays(arrays, names=[c.name for c in signature.inputs])


def _array(column: Column, frame: pd.DataFrame) -> pa.ChunkedArray:
    if column.name not in frame.columns:
        raise InvalidInputError(
            f"The history has no column {column.name!r}: applications send the history's columns, "
            "so what is derived from them belongs into the estimator (a Pipeline).",
            column=column.name,
        )
    try:
        # A missing double stays NaN, so that it is read back without a copy.
        missing = column.type is not ColumnType.FLOAT64
        array = pa.array(_plain(column, frame[column.name]), from_pandas=missing)
        chunked = array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])
        return chunked.cast(ARROW[column.type])
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InvalidInputError(
            f"Column {column.name!r} of the history is no {column.type}: {error}.",
            column=column.name,
        ) from None


def _plain(column: Column, series: "pd.Series[Any]") -> "pd.Series[Any]":
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(object).infer_objects()
    if column.type is ColumnType.BOOL:  # a bool with missing values may be a double by now
        return series.astype("boolean")
    if column.type is ColumnType.FLOAT64:
        return series.astype("float64")
    if column.type is ColumnType.INT64:
        return series.astype("Int64")
    if column.type is ColumnType.DATETIME:
        return pd.to_datetime(series, utc=True).dt.as_unit("us")
    return series
