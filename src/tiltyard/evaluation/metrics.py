"""Metrics of predictions against actuals, through scikit-learn.

A value that is not defined for the rows at hand is None, never NaN. Rows whose actual or
prediction is missing take no part; ``dropped`` counts them.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from sklearn import metrics as sk

from tiltyard.evaluation.frames import Codes, Floats, to_codes, to_floats, to_probabilities
from tiltyard.types.metrics import METRICS
from tiltyard.types.schema import Label, Task

LEAST_PROBABILITY = float(np.finfo(np.float64).eps)
"""Probabilities are clipped to [this, 1 - this] before their logarithm, as scikit-learn does."""


def metrics_for(
    task: Task,
    actual: Iterable[Any],
    predicted: Iterable[Any],
    probabilities: Iterable[Sequence[float] | None] | Floats | None = None,
    classes: Sequence[Label] | None = None,
) -> dict[str, Any]:
    """Return the metrics of a task; ``classes`` is needed for a classification."""
    if task is Task.REGRESSION:
        return regression_metrics(actual, predicted)
    return classification_metrics(actual, predicted, probabilities, classes or ())


def regression_metrics(actual: Iterable[Any], predicted: Iterable[Any]) -> dict[str, Any]:
    """Return n, dropped, mae, rmse, mape, r2, bias.

    ``bias`` is the mean of predicted - actual. ``mape`` is a share (0.1 = 10 %) over the rows
    whose actual is not zero. ``r2`` needs two different actuals.
    """
    truth, made = to_floats(actual), to_floats(predicted)
    both = np.isfinite(truth) & np.isfinite(made)
    counts = {"n": int(both.sum()), "dropped": int((~both).sum())}
    truth, made = truth[both], made[both]
    if not len(truth):
        return counts | dict.fromkeys(METRICS[Task.REGRESSION])
    return counts | {
        "mae": float(sk.mean_absolute_error(truth, made)),
        "rmse": float(sk.root_mean_squared_error(truth, made)),
        "mape": _mape(truth, made),
        "r2": float(sk.r2_score(truth, made)) if truth.min() < truth.max() else None,
        "bias": float(np.mean(made - truth)),
    }


def _mape(truth: Floats, made: Floats) -> float | None:
    some = truth != 0
    if not some.any():
        return None
    return float(sk.mean_absolute_percentage_error(truth[some], made[some]))


def classification_metrics(
    actual: Iterable[Any],
    predicted: Iterable[Any],
    probabilities: Iterable[Sequence[float] | None] | Floats | None,
    classes: Sequence[Label],
) -> dict[str, Any]:
    """Return n, dropped, the numbers of ``METRICS`` and ``confusion_matrix``.

    Two classes: precision, recall, F1, ROC AUC and Brier are of the last class, the positive
    one. More: precision, recall and F1 are the means over the classes for which they are defined
    (macro); ROC AUC is the mean of one class against the rest; Brier is Σ over the classes of
    (p - y)², so between 0 and 2. ``balanced_accuracy`` is the mean recall of the classes that
    occur. ``confusion_matrix`` has a row for each actual class and a column for each predicted
    one, in the order of ``classes``.

    A label that is none of the classes is a wrong answer: it counts in ``n`` and against
    accuracy and precision, but has no row, and no part in what is made of probabilities. Rows
    without probabilities take no part in these either; probabilities are scaled to sum to 1.

    Args:
        actual: labels.
        predicted: labels, one for each actual.
        probabilities: a row for each prediction, a number for each class; None where there is
            none, or for all.
        classes: in the order of the probabilities.
    """
    truth, made = to_codes(actual, classes), to_codes(predicted, classes)
    chances = to_probabilities(probabilities, len(truth), len(classes))
    both = (truth >= 0) & (made >= 0)
    counts = {"n": int(both.sum()), "dropped": int((~both).sum())}
    truth, made, chances = truth[both], made[both], chances[both]
    scored = (truth < len(classes)) & np.isfinite(chances).all(axis=1)
    return (
        counts
        | _label_metrics(truth, made, len(classes))
        | _probability_metrics(truth[scored], chances[scored])
    )


def _label_metrics(truth: Codes, made: Codes, classes: int) -> dict[str, Any]:
    matrix = sk.confusion_matrix(truth, made, labels=range(classes + 1)) if len(truth) else None
    if matrix is None:
        names = ("accuracy", "balanced_accuracy", "precision", "recall", "f1")
        return dict.fromkeys(names) | {"confusion_matrix": [[0] * classes] * classes}
    precision, recall, f1 = _precision_recall_f1(truth, made, classes)
    return {
        "accuracy": float(sk.accuracy_score(truth, made)),
        "balanced_accuracy": _mean_recall(truth, made, classes),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "confusion_matrix": matrix[:classes, :classes].tolist(),
    }


def _precision_recall_f1(truth: Codes, made: Codes, classes: int) -> list[float | None]:
    labels = [classes - 1] if classes == 2 else range(classes)  # noqa: PLR2004  binary
    scores = sk.precision_recall_fscore_support(
        truth, made, labels=labels, average="macro", zero_division=np.nan
    )
    return [_defined(score) for score in scores[:3]]


def _mean_recall(truth: Codes, made: Codes, classes: int) -> float | None:
    occurring = np.unique(truth[truth < classes])
    if not len(occurring):
        return None
    return _defined(sk.recall_score(truth, made, labels=occurring, average="macro"))


def _probability_metrics(truth: Codes, chances: Floats) -> dict[str, float | None]:
    if not len(truth):
        return {"roc_auc": None, "log_loss": None, "brier": None}
    chances = chances / chances.sum(axis=1, keepdims=True)
    return {
        "roc_auc": _roc_auc(truth, chances),
        "log_loss": float(np.mean(log_losses(truth, chances))),
        "brier": float(np.mean(brier_scores(truth, chances))),
    }


def _roc_auc(truth: Codes, chances: Floats) -> float | None:
    classes = chances.shape[1]
    judged = [classes - 1] if classes == 2 else range(classes)  # noqa: PLR2004  binary
    areas = [
        sk.roc_auc_score(truth == k, chances[:, k])
        for k in judged
        if (truth == k).any() and (truth != k).any()
    ]
    return float(np.mean(areas)) if areas else None


def log_losses(truth: Codes, chances: Floats) -> Floats:
    """Return -ln of the probability given to each row's class; chances sum to 1."""
    given = chances[np.arange(len(truth)), truth]
    losses: Floats = -np.log(np.clip(given, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY))
    return losses


def brier_scores(truth: Codes, chances: Floats) -> Floats:
    """Return each row's squared error of its probabilities (Brier 1950), as documented above."""
    classes = chances.shape[1]
    squares = (chances - np.eye(classes)[truth]) ** 2
    scores: Floats = squares[:, -1] if classes == 2 else squares.sum(axis=1)  # noqa: PLR2004  binary
    return scores


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
