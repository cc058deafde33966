"""Drift: zero for the same distribution, larger the further it moves."""

import math

import numpy as np
import pytest
from scipy.stats import ks_2samp

from tiltyard.errors import InvalidInputError
from tiltyard.evaluation.columns import ColumnSummary, summarise_column
from tiltyard.evaluation.drift import column_psi, input_drift, kolmogorov_smirnov, psi
from tiltyard.evaluation.summaries import Summary
from tiltyard.types.schema import ColumnType

RNG = np.random.default_rng(11)
EDGES = tuple(np.linspace(-3, 3, 11).tolist())


def normal(mean: float, rows: int = 5000) -> ColumnSummary:
    """Summarise draws of a normal distribution."""
    values = RNG.normal(mean, 1, rows).tolist()
    return summarise_column(values, ColumnType.FLOAT64, edges=EDGES)


def levels(missing: int = 0, **counts: int) -> ColumnSummary:
    """Summarise a category's levels."""
    values = [level for level, n in counts.items() for _ in range(n)] + [None] * missing
    return summarise_column(values, ColumnType.CATEGORY, levels=("dry", "wet"))


def test_the_formula_by_hand() -> None:
    """Two bins with half a row added to each."""
    p, q = (80.5 / 101, 20.5 / 101), (50.5 / 101, 50.5 / 101)
    by_hand = sum((b - a) * math.log(b / a) for a, b in zip(p, q, strict=True))
    assert psi([80, 20], [50, 50]) == pytest.approx(by_hand)


def test_the_same_shares_have_none() -> None:
    """And it grows with the distance."""
    assert psi([10, 20, 30], [10, 20, 30]) == 0
    reference = normal(0)
    near, far = (column_psi(reference, normal(mean)) for mean in (0.0, 1.0))
    assert near is not None
    assert far is not None
    assert near < 0.02
    assert far > 0.5


def test_an_empty_bin_is_no_infinity() -> None:
    """A level that was never seen, or is not seen any more."""
    found = psi([100, 0], [0, 100])
    assert found is not None
    assert math.isfinite(found)
    assert found > 5


def test_missing_values_are_a_bin() -> None:
    """More of them is drift, if nothing else changes."""
    found = column_psi(levels(dry=50, wet=50), levels(missing=100, dry=50, wet=50))
    assert found is not None
    assert found > 1


def test_unknown_levels_are_a_bin() -> None:
    """A level that training never saw is drift."""
    found = column_psi(levels(dry=50, wet=50), levels(dry=50, wet=50, snow=50))
    assert found is not None
    assert found > 0.5


def test_what_cannot_be_compared_is_none() -> None:
    """Other edges, no histogram, no rows; another number of bins is an error."""
    other = summarise_column([1.0], ColumnType.FLOAT64, edges=(0.0, 1.0))
    text = summarise_column(["x"], ColumnType.STRING)
    assert column_psi(normal(0), other) is None
    assert column_psi(text, text) is None
    assert column_psi(levels(), levels(dry=1)) is None
    with pytest.raises(InvalidInputError, match="2 bins"):
        psi([1, 2], [1])


def test_drift_of_all_inputs() -> None:
    """By name, where there is one."""
    text = summarise_column(["x"], ColumnType.STRING)
    reference = Summary(2, {"temp": normal(0), "note": text, "gone": normal(0)})
    live = Summary(2, {"temp": normal(2), "note": text, "new": normal(0)})
    found = input_drift(reference, live)
    assert found.keys() == {"temp"}
    assert found["temp"] > 1


def test_kolmogorov_smirnov_is_scipys() -> None:
    """Without missing values; None without a sample."""
    a, b = RNG.normal(0, 1, 200), RNG.normal(0.3, 1, 300)
    expected = ks_2samp(a, b)
    found = kolmogorov_smirnov([*a, math.nan], [*b, None])
    assert found == pytest.approx((expected.statistic, expected.pvalue))
    assert kolmogorov_smirnov([None], b) is None
