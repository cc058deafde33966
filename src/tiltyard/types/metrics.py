"""The metrics of each task, and which way each is better."""

from typing import Literal

from tiltyard.errors import NotFoundError
from tiltyard.types.schema import Task

Direction = Literal["higher", "lower"]

BETTER: dict[str, Direction] = {
    "mae": "lower",
    "rmse": "lower",
    "mape": "lower",
    "bias": "lower",
    "r2": "higher",
    "accuracy": "higher",
    "balanced_accuracy": "higher",
    "precision": "higher",
    "recall": "higher",
    "f1": "higher",
    "roc_auc": "higher",
    "log_loss": "lower",
    "brier": "lower",
}
"""Metric → which is better; of a bias its absolute value."""

METRICS: dict[Task, tuple[str, ...]] = {
    Task.REGRESSION: ("mae", "rmse", "mape", "r2", "bias"),
    Task.CLASSIFICATION: (
        "accuracy",
        "balanced_accuracy",
        "precision",
        "recall",
        "f1",
        "roc_auc",
        "log_loss",
        "brier",
    ),
}
"""The metrics of each task that are one number."""


def better(metric: str) -> Direction:
    """Return whether a higher or a lower value is better.

    Raises:
        NotFoundError: it is no metric; the message names those there are.
    """
    if metric not in BETTER:
        raise NotFoundError("metric", metric, sorted(BETTER))
    return BETTER[metric]
