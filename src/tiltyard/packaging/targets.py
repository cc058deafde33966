"""The target of a training: values for ``fit`` and the output of the signature."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import is_classifier, is_regressor

from tiltyard.errors import InvalidInputError
from tiltyard.packaging.dtypes import normalise
from tiltyard.scoring.engines.sklearn import plain_label
from tiltyard.types.schema import ColumnType, Output, Task

FEWEST_CLASSES = 2
MOST_CLASSES = 1000


def task_of(estimator: Any, given: Task | str | None) -> Task:
    """Return what an estimator does.

    Raises:
        InvalidInputError: it does not do the task that was given, or it cannot be told.
    """
    does = None
    if is_classifier(estimator):
        does = Task.CLASSIFICATION
    elif is_regressor(estimator):
        does = Task.REGRESSION
    name = type(estimator).__name__
    if given is None and does is None:
        raise InvalidInputError(
            f"{name} is neither a scikit-learn classifier nor a regressor: give task=…."
        )
    if given is not None and does is not None and Task(given) is not does:
        raise InvalidInputError(f"The task is {Task(given)}, but {name} does {does}.")
    return Task(given) if given is not None else Task(str(does))


def target_values(frame: pd.DataFrame, target: str, task: Task) -> NDArray[Any]:
    """Return what ``fit`` is given: doubles, or classes as bools, integers or texts.

    Raises:
        InvalidInputError: the column is missing, has missing values or another type.
    """
    if target not in frame.columns:
        raise InvalidInputError(
            f"The history has no column {target!r} to predict; it has "
            f"{', '.join(map(str, frame.columns))}."
        )
    series = frame[target]
    if missing := int(series.isna().sum()):
        raise InvalidInputError(
            f"The target {target!r} is missing in {missing} rows: "
            f"leave them out by frame.dropna(subset=[{target!r}])."
        )
    return _numbers(target, series) if task is Task.REGRESSION else _classes(target, series)


def output_of(target: str, task: Task, estimator: Any, values: NDArray[Any]) -> Output:
    """Return the output of a fitted estimator; classes are in the order of probabilities.

    None as estimator is a model of another language: classes are those of the values.
    """
    if task is Task.REGRESSION:
        return Output(name=target, type=ColumnType.FLOAT64)
    found = getattr(estimator, "classes_", np.unique(values))
    classes = tuple(plain_label(c) for c in np.asarray(found).tolist())
    return Output(
        name=target,
        type=_type_of_classes(classes[0]),
        classes=classes,
        probabilities=hasattr(estimator, "predict_proba"),
    )


def _numbers(target: str, series: "pd.Series[Any]") -> NDArray[Any]:
    found = normalise(target, series)
    if found.kind not in {ColumnType.INT64, ColumnType.FLOAT64}:
        raise InvalidInputError(
            f"The target {target!r} of a regression holds {found.kind} instead of numbers."
        )
    return found.series.to_numpy(dtype=np.float64)


def _classes(target: str, series: "pd.Series[Any]") -> NDArray[Any]:
    found = normalise(target, series)
    values = found.series.to_numpy(
        dtype=object if found.kind in {ColumnType.STRING, ColumnType.CATEGORY} else None
    )
    if found.kind is ColumnType.FLOAT64 and np.equal(values, np.floor(values)).all():
        values = values.astype(np.int64)
    elif found.kind in {ColumnType.FLOAT64, ColumnType.DATE, ColumnType.DATETIME}:
        raise InvalidInputError(
            f"The target {target!r} of a classification holds {found.kind}; classes are bools, "
            "integers or texts."
        )
    different = len(pd.unique(values))
    if not FEWEST_CLASSES <= different <= MOST_CLASSES:
        raise InvalidInputError(
            f"The target {target!r} has {different} classes; a classification has "
            f"{FEWEST_CLASSES} to {MOST_CLASSES}."
        )
    return values


def _type_of_classes(label: bool | int | str) -> ColumnType:
    if isinstance(label, bool):
        return ColumnType.BOOL
    return ColumnType.INT64 if isinstance(label, int) else ColumnType.STRING
