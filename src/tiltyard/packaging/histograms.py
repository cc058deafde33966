"""Bin edges, fixed at training, by which live data is counted and compared."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 20


def histograms(columns: Mapping[str, NDArray[Any]]) -> dict[str, tuple[float, ...]]:
    """Return the edges of each numeric column."""
    return {name: edges(values) for name, values in columns.items()}


def edges(values: NDArray[Any]) -> tuple[float, ...]:
    """Return rising bin edges; bin i holds edges[i] ≤ x < edges[i + 1], the last also its end.

    Up to `BINS` different values get a bin each, bounded by the middles between them. More get
    `BINS` bins of equally many rows, fewer where many rows share one value.
    """
    doubles = np.asarray(values, dtype=np.float64)
    known = doubles[np.isfinite(doubles)]
    different = np.unique(known)
    if len(different) > BINS:
        return _rising(np.quantile(known, np.linspace(0, 1, BINS + 1)))
    if len(different) <= 1:
        centre = float(different[0]) if len(different) else 0.0
        half = max(0.5, abs(centre) * 1e-6)
        return (centre - half, centre + half)
    middles = (different[:-1] + different[1:]) / 2
    first, last = different[0] - (middles[0] - different[0]), 2 * different[-1] - middles[-1]
    return _rising(np.concatenate([[first], middles, [last]]))


def _rising(found: NDArray[Any]) -> tuple[float, ...]:
    return tuple(float(edge) for edge in np.unique(found))
