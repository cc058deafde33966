"""Metrics of predictions, and the rows that they are computed on."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tiltyard.errors import InvalidInputError
from tiltyard.evaluation.metrics import metrics_for
from tiltyard.scoring.engines.base import Scores
from tiltyard.types.schema import Label, Signature, Task


def metrics_of(
    signature: Signature, actual: "NDArray[Any] | pd.Series[Any]", scores: Scores
) -> dict[str, Any]:
    """Return the metrics of predictions."""
    classes = signature.output.classes
    task = Task.REGRESSION if classes is None else Task.CLASSIFICATION
    return metrics_for(task, actual.tolist(), list(scores.values), scores.probabilities, classes)


def time_order(times: "pd.Series[Any] | None", rows: int) -> NDArray[np.int64]:
    """Return positions of rows by their time; without times the order in which they stand."""
    if times is None:
        return np.arange(rows, dtype=np.int64)
    return np.argsort(times.to_numpy(), kind="stable").astype(np.int64)


def split(order: NDArray[np.int64], share: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the earlier rows of an order, and the share of it that is held out.

    Raises:
        InvalidInputError: nothing is left on one side.
    """
    cut = len(order) - round(len(order) * share)
    if not 0 < cut < len(order):
        raise InvalidInputError(
            f"holdout={share} of {len(order)} rows leaves nothing on one side: give a share "
            "between 0 and 1, or 0 for no hold-out."
        )
    return order[:cut], order[cut:]


def check_classes(values: NDArray[Any], task: Task) -> None:
    """See that what a classifier learns from holds more than one class.

    Raises:
        InvalidInputError: it does not.
    """
    if task is Task.CLASSIFICATION and len(pd.unique(values)) == 1:
        raise InvalidInputError(
            f"The rows before the hold-out hold one class only ({values[0]!r}): give more history, "
            "a smaller holdout=…, or holdout=0 for no hold-out metrics."
        )


def spread(scores: Scores, classes: tuple[Label, ...] | None, signature: Signature) -> Scores:
    """Return scores with a probability for each of the signature's classes, 0 for unknown ones."""
    wanted = signature.output.classes
    if scores.probabilities is None or classes is None or wanted is None or classes == wanted:
        return scores
    # A class that first occurs in the hold-out had no chance in the clone's eyes.
    spread = np.zeros((len(scores.values), len(wanted)))
    spread[:, [wanted.index(c) for c in classes]] = scores.probabilities
    return Scores(scores.values, spread)
