"""Aligning what was predicted with what came true."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tiltyard.types.schema import Label

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


def is_missing(value: Any) -> bool:
    """Whether a value counts as missing: None or NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def to_floats(values: Iterable[Any]) -> Floats:
    """Return numbers as float64, NaN where a value is missing or no number."""
    return np.fromiter((_number(value) for value in values), np.float64)


def to_codes(values: Iterable[Any], classes: Sequence[Label]) -> Codes:
    """Return each label's place among the classes, len(classes) for others, -1 for missing ones.

    A label is equal to its float (1 and 1.0), as columns of numbers carry it.
    """
    places = class_places(classes)
    return np.fromiter((code_of(value, places) for value in values), np.int64)


def class_places(classes: Sequence[Label]) -> dict[Label, int]:
    """Return label → place among the classes."""
    return {label: place for place, label in enumerate(classes)}


def code_of(value: Any, places: Mapping[Label, int]) -> int:
    """Return one label's code, as ``to_codes`` does."""
    return -1 if is_missing(value) else places.get(value, len(places))


def to_probabilities(
    probabilities: Iterable[Sequence[float] | None] | Floats | None, rows: int, classes: int
) -> Floats:
    """Return probabilities, a row a prediction; a row that is missing or all zero is NaN."""
    if probabilities is None:
        return np.full((rows, classes), np.nan)
    unknown = [math.nan] * classes
    lists = [unknown if row is None else list(row) for row in probabilities]
    table = np.asarray(lists, np.float64).reshape(rows, classes)
    table[~(table.sum(axis=1) > 0)] = np.nan
    return table


def _number(value: Any) -> float:
    if value is None or isinstance(value, str):
        return math.nan
    return float(value)
