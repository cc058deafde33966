"""The columns of a history that a version is made of."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from tiltyard.errors import InvalidInputError
from tiltyard.packaging.dtypes import normalise
from tiltyard.packaging.options import Options
from tiltyard.packaging.signatures import Inputs
from tiltyard.types.schema import ColumnType, Signature


def features_of(
    frame: pd.DataFrame, options: Options, named: Sequence[str] | None = None
) -> list[str]:
    """Return the names of the inputs.

    Args:
        frame: the history.
        options: may name them.
        named: those that a fitted model names, if it does.

    Raises:
        InvalidInputError: one is missing, or the target.
    """
    features = named if options.features is None else options.features
    if features is None:
        features = [n for n in frame.columns if n not in {options.target, options.event_time}]
    if options.target in features:
        raise InvalidInputError(f"The target {options.target!r} cannot be an input too.")
    if missing := [name for name in features if name not in frame.columns]:
        raise InvalidInputError(
            f"The history has no column {missing[0]!r}; it has "
            f"{', '.join(map(str, frame.columns))}."
        )
    return list(features)


def times_of(frame: pd.DataFrame, event_time: str | None) -> "pd.Series[Any] | None":
    """Return the rows' times, if a column holds them.

    Raises:
        InvalidInputError: there is no such column, or it holds no times.
    """
    if event_time is None:
        return None
    if event_time not in frame.columns:
        raise InvalidInputError(f"The history has no event time {event_time!r}.")
    found = normalise(event_time, frame[event_time])
    if found.kind is not ColumnType.DATETIME:
        raise InvalidInputError(f"Event time {event_time!r} holds {found.kind}, not times.")
    return found.series


def numbers_of(
    inputs: Inputs, signature: Signature, values: NDArray[Any]
) -> dict[str, NDArray[Any]]:
    """Return the columns that bin edges are fixed for: numeric inputs, a regression's target."""
    kinds = {ColumnType.INT64, ColumnType.FLOAT64}
    numbers = {c.name: inputs.frame[c.name].to_numpy() for c in inputs.columns if c.type in kinds}
    if signature.output.type is ColumnType.FLOAT64:
        numbers[signature.output.name] = values
    return numbers
