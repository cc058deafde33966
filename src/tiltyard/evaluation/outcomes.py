"""Sums over predictions whose actual is known, from which metrics can be had exactly."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np

from tiltyard.errors import InvalidInputError
from tiltyard.evaluation.columns import histogram
from tiltyard.evaluation.frames import to_codes, to_floats, to_probabilities
from tiltyard.evaluation.metrics import brier_scores, log_losses
from tiltyard.evaluation.moments import Moments, add_counts, merge_moments, moments
from tiltyard.types.schema import Label

SCORE_EDGES = tuple(i / 20 for i in range(21))
"""Edges of the histograms of a positive class's probability."""


class ErrorSums(msgspec.Struct, frozen=True, omit_defaults=True):
    """Of a regression; e = predicted - actual.

    Attributes:
        dropped: rows whose actual or prediction is missing.
        actual: moments of the actuals of the others.
        error: Σe.
        absolute: Σ|e|.
        squared: Σe².
        ratios: Σ|e / actual| over the ``ratio_n`` rows whose actual is not zero.
    """

    dropped: int = 0
    actual: Moments = Moments()
    error: float = 0.0
    absolute: float = 0.0
    squared: float = 0.0
    ratio_n: int = 0
    ratios: float = 0.0


class ClassSums(msgspec.Struct, frozen=True, omit_defaults=True):
    """Of a classification.

    Attributes:
        dropped: rows whose actual or prediction is missing.
        confusion: [actual][predicted] in the order of ``classes``; the last row and column are
            of labels that are none of them.
        scored: rows with probabilities whose actual is one of the classes.
        log_loss: Σ of their log losses.
        brier: Σ of their Brier scores.
        positives: histogram of the last class's probability, by ``SCORE_EDGES``, over rows
            whose actual is that class; only of two classes.
        negatives: likewise over the others.
    """

    classes: tuple[Label, ...]
    confusion: list[list[int]]
    dropped: int = 0
    scored: int = 0
    log_loss: float = 0.0
    brier: float = 0.0
    positives: list[int] = []
    negatives: list[int] = []


def error_sums(actual: Iterable[Any], predicted: Iterable[Any]) -> ErrorSums:
    """Return the sums of a regression's rows."""
    truth, made = to_floats(actual), to_floats(predicted)
    both = np.isfinite(truth) & np.isfinite(made)
    dropped = int((~both).sum())
    truth, made = truth[both], made[both]
    errors, some = made - truth, truth != 0
    return ErrorSums(
        dropped,
        moments(truth.tolist()),
        float(errors.sum()),
        float(np.abs(errors).sum()),
        float((errors**2).sum()),
        int(some.sum()),
        float(np.abs(errors[some] / truth[some]).sum()),
    )


def class_sums(
    actual: Iterable[Any],
    predicted: Iterable[Any],
    probabilities: Iterable[Sequence[float] | None] | None,
    classes: Sequence[Label],
) -> ClassSums:
    """Return the sums of a classification's rows."""
    k = len(classes)
    truth, made = to_codes(actual, classes), to_codes(predicted, classes)
    chances = to_probabilities(probabilities, len(truth), k)
    both = (truth >= 0) & (made >= 0)
    scored = both & (truth < k) & np.isfinite(chances).all(axis=1)
    cells = np.bincount(truth[both] * (k + 1) + made[both], minlength=(k + 1) ** 2)
    truth, chances = truth[scored], chances[scored]
    chances = chances / chances.sum(axis=1, keepdims=True)
    binary = k == 2 and len(truth) > 0  # noqa: PLR2004
    return ClassSums(
        tuple(classes),
        cells.reshape(k + 1, k + 1).tolist(),
        int((~both).sum()),
        len(truth),
        float(log_losses(truth, chances).sum()),
        float(brier_scores(truth, chances).sum()),
        histogram(chances[truth == 1, 1], SCORE_EDGES) if binary else [],
        histogram(chances[truth == 0, 1], SCORE_EDGES) if binary else [],
    )


def merge_errors(a: ErrorSums, b: ErrorSums) -> ErrorSums:
    """Return the sums of both sets of rows."""
    return ErrorSums(
        a.dropped + b.dropped,
        merge_moments(a.actual, b.actual),
        a.error + b.error,
        a.absolute + b.absolute,
        a.squared + b.squared,
        a.ratio_n + b.ratio_n,
        a.ratios + b.ratios,
    )


def merge_classes(a: ClassSums, b: ClassSums) -> ClassSums:
    """Return the sums of both sets of rows.

    Raises:
        InvalidInputError: they are of different classes.
    """
    if a.classes != b.classes:
        raise InvalidInputError(f"Classes {a.classes} and {b.classes} cannot be merged.")
    return ClassSums(
        a.classes,
        [add_counts(*rows) for rows in zip(a.confusion, b.confusion, strict=True)],
        a.dropped + b.dropped,
        a.scored + b.scored,
        a.log_loss + b.log_loss,
        a.brier + b.brier,
        add_counts(a.positives, b.positives),
        add_counts(a.negatives, b.negatives),
    )
