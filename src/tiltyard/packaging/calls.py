"""Gives inputs the types that applications send."""

from typing import Any

import numpy as np
import pandas as pd

from tiltyard.errors import InvalidInputError
from tiltyard.packaging.signatures import Inputs, levels_of
from tiltyard.types.schema import CallSchema, Column, ColumnType


def in_call_types(inputs: Inputs, schema: CallSchema) -> Inputs:
    """Return the inputs with the types of a model's calls.

    Text is a category exactly if it is one in calls; whole numbers and numbers follow them.

    Raises:
        InvalidInputError: naming a column that calls do not hold, or hold otherwise.
    """
    columns = []
    frame, dtypes = inputs.frame.copy(deep=False), dict(inputs.dtypes)
    for column in inputs.columns:
        wanted = schema.column(column.name)
        if wanted is None:
            raise InvalidInputError(
                f"Column {column.name!r} is not among those that applications send "
                f"({', '.join(c.name for c in schema.columns)}): what is derived from them "
                "belongs into the estimator (a Pipeline).",
                column=column.name,
            )
        columns.append(_in_type(column, wanted.type, frame[column.name], dtypes[column.name]))
        if columns[-1].type is ColumnType.FLOAT64:
            frame[column.name] = frame[column.name].astype(np.float64)
            dtypes[column.name] = "float64"
    return Inputs(frame, tuple(columns), dtypes)


def _in_type(column: Column, wanted: ColumnType, series: "pd.Series[Any]", dtype: str) -> Column:
    change: dict[str, object] = {"type": wanted}
    match (column.type, wanted):
        case (had, want) if had is want:
            return column
        case (ColumnType.STRING, ColumnType.CATEGORY):
            change["levels"] = levels_of(series)
        case (ColumnType.CATEGORY, ColumnType.STRING) if dtype == "str":
            change["levels"] = None
        case (ColumnType.INT64, ColumnType.FLOAT64):
            pass
        case (ColumnType.FLOAT64, ColumnType.INT64) if dtype == "float64" and _is_whole(series):
            pass
        case _:
            raise InvalidInputError(
                f"Column {column.name!r} is {column.type} here, but {wanted} in the model's "
                "history, as applications send it: change it in prepare and write the history "
                "again, or inside the estimator (a Pipeline).",
                column=column.name,
            )
    return column.model_copy(update=change)


def _is_whole(series: "pd.Series[Any]") -> bool:
    known = series.dropna()
    return bool((known == np.floor(known)).all())
