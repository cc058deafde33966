"""The metrics that sums give exactly: the same as ``metrics`` computes from rows."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from tiltyard.evaluation.outcomes import ClassSums, ErrorSums
from tiltyard.evaluation.summaries import Summary
from tiltyard.types.metrics import METRICS
from tiltyard.types.schema import Task

Matrix = Sequence[Sequence[int]]


def metrics_from(summary: Summary, task: Task) -> dict[str, Any]:
    """Return the metrics of the rows behind a summary.

    All that ``metrics_for`` gives but ``roc_auc``, which needs the rows; undefined ones are None.
    """
    if task is Task.REGRESSION:
        return _regression(summary.errors or ErrorSums())
    return _classification(summary.classes or ClassSums((), [[0]]))


def roc_auc_from(sums: ClassSums) -> tuple[float, float] | None:
    """Return the ROC AUC of two classes from the histograms of scores, and how far it is off.

    Pairs of different bins are ordered for certain; those of one bin count one half, and could
    be all right or all wrong: the bound is half their share (Mann and Whitney's U by bins).
    """
    pairs = sum(sums.positives) * sum(sums.negatives)
    if not pairs:
        return None
    below, ordered, tied = 0, 0, 0
    for positives, negatives in zip(sums.positives, sums.negatives, strict=True):
        ordered += positives * below
        tied += positives * negatives
        below += negatives
    return (ordered + tied / 2) / pairs, tied / 2 / pairs


def _regression(sums: ErrorSums) -> dict[str, Any]:
    n, actual = sums.actual.n, sums.actual
    counts = {"n": n, "dropped": sums.dropped}
    if not n:
        return counts | dict.fromkeys(METRICS[Task.REGRESSION])
    varied = actual.minimum != actual.maximum and actual.spread > 0
    return counts | {
        "mae": sums.absolute / n,
        "rmse": math.sqrt(sums.squared / n),
        "mape": _share(sums.ratios, sums.ratio_n),
        "r2": 1 - sums.squared / actual.spread if varied else None,
        "bias": sums.error / n,
    }


def _classification(sums: ClassSums) -> dict[str, Any]:
    matrix, k = sums.confusion, len(sums.classes)
    n = sum(map(sum, matrix))
    judged = [k - 1] if k == 2 else range(k)  # noqa: PLR2004  binary: the last class is positive
    return {
        "n": n,
        "dropped": sums.dropped,
        "accuracy": _share(sum(matrix[i][i] for i in range(k)), n),
        "balanced_accuracy": _mean(_recall, matrix, range(k)),
        "precision": _mean(_precision, matrix, judged),
        "recall": _mean(_recall, matrix, judged),
        "f1": _mean(_f1, matrix, judged),
        "log_loss": _share(sums.log_loss, sums.scored),
        "brier": _share(sums.brier, sums.scored),
        "confusion_matrix": [row[:k] for row in matrix[:k]],
    }


def _precision(matrix: Matrix, i: int) -> float | None:
    return _share(matrix[i][i], sum(row[i] for row in matrix))


def _recall(matrix: Matrix, i: int) -> float | None:
    return _share(matrix[i][i], sum(matrix[i]))


def _f1(matrix: Matrix, i: int) -> float | None:
    return _share(2 * matrix[i][i], sum(matrix[i]) + sum(row[i] for row in matrix))


def _mean(
    score: Callable[[Matrix, int], float | None], matrix: Matrix, classes: Sequence[int]
) -> float | None:
    defined = [s for s in (score(matrix, i) for i in classes) if s is not None]
    return _share(math.fsum(defined), len(defined))


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
