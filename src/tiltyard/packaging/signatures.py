"""Infers the inputs of a signature from a DataFrame.

Rules, by a column's pandas dtype:

- bool, ``boolean`` → bool; integers, ``Int64`` → int64 (categories of integers too);
  floats → float64; datetimes with a zone → datetime; objects of `datetime.date` → date.
- a pandas category of texts → category with its levels, in their order.
- other text → category when it has at most `MAX_LEVELS` different values, each on average at
  least `ROWS_A_LEVEL` times; its levels are in order of appearance. Otherwise → string.
- a column is nullable if a value was missing.

A model's call schema goes over this: a version's inputs have the types that applications send.

The estimator is given the same columns in fewer dtypes, so that a scorer can build them again:
see `scoring.engines.pandas_frames`.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tiltyard.errors import InvalidInputError
from tiltyard.packaging.dtypes import normalise
from tiltyard.types.schema import NAMES, Column, ColumnType, UnknownLevel, can_name_column

MAX_LEVELS = 50
ROWS_A_LEVEL = 2

RESERVED = "__"
"""Names that begin so are those of golden predictions."""


class Inputs(NamedTuple):
    """What an estimator is trained on.

    Attributes:
        frame: the inputs in the dtypes of ``dtypes``.
        columns: for the signature; unknown levels not probed yet.
        dtypes: input → dtype.
    """

    frame: pd.DataFrame
    columns: tuple[Column, ...]
    dtypes: dict[str, str]


def infer_inputs(frame: pd.DataFrame) -> Inputs:
    """Return the inputs of a frame's columns, in their order; the index is left out.

    Raises:
        InvalidInputError: naming the column that cannot be an input, and what to do.
    """
    _check_names(frame)
    if not len(frame):
        raise InvalidInputError("The frame has no rows, so there is nothing to learn from.")
    columns, dtypes, series = [], {}, {}
    for name in frame.columns:
        found = normalise(name, frame[name])
        kind = _kind(found.kind, found.series)
        columns.append(_column(name, kind, found.series))
        dtypes[name] = found.dtype
        series[name] = found.series.reset_index(drop=True)
    return Inputs(pd.DataFrame(series), tuple(columns), dtypes)


def check_policies(
    columns: tuple[Column, ...], given: Mapping[str, str]
) -> dict[str, UnknownLevel]:
    """Return policies that a user gave, by column.

    Raises:
        InvalidInputError: no such category column, or no such policy.
    """
    categories = [c.name for c in columns if c.type is ColumnType.CATEGORY]
    known = ", ".join(UnknownLevel)
    for name, policy in given.items():
        if name not in categories:
            raise InvalidInputError(
                f"unknown_levels names {name!r}, which is no category. Categories: "
                f"{', '.join(categories) or 'none'}; frame[{name!r}].astype('category') makes one.",
                column=name,
            )
        if policy not in set(UnknownLevel):
            raise InvalidInputError(
                f"unknown_levels gives {name!r} {policy!r}; choose one of {known}.", column=name
            )
    return {name: UnknownLevel(policy) for name, policy in given.items()}


def _check_names(frame: pd.DataFrame) -> None:
    if not len(frame.columns):
        raise InvalidInputError("The frame has no input columns.")
    names: list[Any] = list(frame.columns)
    for name in names:
        if not isinstance(name, str) or not can_name_column(name) or name.startswith(RESERVED):
            raise InvalidInputError(
                f"Column {name!r} cannot be an input: {NAMES} that do not begin with "
                f"{RESERVED!r}. Rename it by frame.rename(columns=…).",
                column=str(name),
            )
    if twice := frame.columns[frame.columns.duplicated()].tolist():
        raise InvalidInputError(
            f"Column {twice[0]!r} is there twice: drop or rename one of them.", column=twice[0]
        )


def _kind(kind: ColumnType, series: "pd.Series[Any]") -> ColumnType:
    if kind is not ColumnType.STRING:
        return kind
    different = series.nunique()
    few = different <= MAX_LEVELS and different * ROWS_A_LEVEL <= series.count()
    return ColumnType.CATEGORY if few else kind


def _column(name: str, kind: ColumnType, series: "pd.Series[Any]") -> Column:
    numbers = kind in {ColumnType.INT64, ColumnType.FLOAT64}
    return Column(
        name=name,
        type=kind,
        nullable=bool(series.isna().any()),
        levels=levels_of(series) if kind is ColumnType.CATEGORY else None,
        minimum=float(np.nanmin(series)) if numbers else None,
        maximum=float(np.nanmax(series)) if numbers else None,
    )


def levels_of(series: "pd.Series[Any]") -> tuple[str, ...]:
    """Return the levels of a text column: a pandas category's own, else by appearance."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        return tuple(map(str, series.cat.categories))
    return tuple(map(str, series.dropna().unique()))
