"""Drift of inputs: how far the distribution of live values is from that of the history."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tiltyard.errors import InvalidInputError
from tiltyard.evaluation.columns import ColumnSummary
from tiltyard.evaluation.frames import to_floats
from tiltyard.evaluation.summaries import Summary

SMOOTHING = 0.5
"""Added to every count, so that an empty bin has a logarithm (Jeffreys' prior)."""


def psi(reference: Sequence[int], live: Sequence[int]) -> float | None:
    """Return the population stability index of two rows of counts over the same bins.

    PSI = Σ (q - p) ln(q / p), with p and q the shares of a bin in reference and live data: the
    symmetrised Kullback-Leibler divergence (Jeffreys 1946; as PSI: Siddiqi, Credit Risk
    Scorecards, 2006). Half a row is added to every bin first. Below 0.1 is commonly read as
    stable, above 0.25 as shifted. Fewer than some hundred live rows make it large by chance.

    Returns:
        None when either side has no rows.

    Raises:
        InvalidInputError: the bins differ in number.
    """
    if len(reference) != len(live):
        raise InvalidInputError(f"{len(reference)} bins cannot be compared with {len(live)}.")
    if not sum(reference) or not sum(live):
        return None
    pairs = zip(_shares(reference), _shares(live), strict=True)
    return math.fsum((q - p) * math.log(q / p) for p, q in pairs)


def column_psi(reference: ColumnSummary, live: ColumnSummary) -> float | None:
    """Return the PSI of a column; missing values are a bin of their own.

    Returns:
        None when the column has neither a histogram nor levels, when the edges differ, or when
        either side has no rows.
    """
    bins = _histograms(reference, live) if reference.counts else _levels(reference, live)
    if bins is None:
        return None
    return psi([*bins[0], reference.missing], [*bins[1], live.missing])


def input_drift(reference: Summary, live: Summary) -> dict[str, float]:
    """Return the PSI of every input for which there is one."""
    shared = {name: c for name, c in reference.inputs.items() if name in live.inputs}
    found = {name: column_psi(c, live.inputs[name]) for name, c in shared.items()}
    return {name: value for name, value in found.items() if value is not None}


def kolmogorov_smirnov(reference: Iterable[Any], live: Iterable[Any]) -> tuple[float, float] | None:
    """Return statistic and p-value of the two-sample test, by SciPy; None without two samples.

    The p-value is of one look; looked at again and again it means less.
    """
    from scipy.stats import ks_2samp  # noqa: PLC0415  heavy; rarely asked for

    samples = [_finite(values) for values in (reference, live)]
    if not all(map(len, samples)):
        return None
    result = ks_2samp(*samples)
    return float(result.statistic), float(result.pvalue)


def _finite(values: Iterable[Any]) -> Any:
    numbers = to_floats(values)
    return numbers[np.isfinite(numbers)]


def _shares(counts: Sequence[int]) -> list[float]:
    whole = sum(counts) + SMOOTHING * len(counts)
    return [(count + SMOOTHING) / whole for count in counts]


def _histograms(a: ColumnSummary, b: ColumnSummary) -> tuple[list[int], list[int]] | None:
    return (a.counts, b.counts) if a.edges == b.edges else None


def _levels(a: ColumnSummary, b: ColumnSummary) -> tuple[list[int], list[int]] | None:
    levels = sorted(a.levels.keys() | b.levels.keys())
    if not levels and not a.other and not b.other:
        return None
    first, second = ([side.levels.get(level, 0) for level in levels] for side in (a, b))
    return [*first, a.other], [*second, b.other]
