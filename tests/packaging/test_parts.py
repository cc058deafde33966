"""Golden rows, histograms, targets: what a version is made of."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.linear_model import LinearRegression, LogisticRegression

from tiltyard.errors import InvalidInputError
from tiltyard.packaging.golden import golden_rows
from tiltyard.packaging.histograms import BINS, edges
from tiltyard.packaging.signatures import infer_inputs
from tiltyard.packaging.targets import output_of, target_values, task_of
from tiltyard.types.schema import Task


def test_golden_rows_hold_each_level_and_each_missing_value() -> None:
    """Even a level and a missing value that occur once in many rows."""
    frame = pd.DataFrame({"c": ["a"] * 5_000, "n": 1.0, "m": range(5_000)})
    frame.loc[4_321, "c"] = "rare"
    frame.loc[1_234, "n"] = np.nan
    inputs = infer_inputs(frame.astype({"c": "category"}))
    rows = golden_rows(inputs.frame, inputs.columns)
    assert {4_321, 1_234, 0, 4_999} <= set(rows.tolist())
    assert 100 <= len(rows) < 120
    assert rows.tolist() == golden_rows(inputs.frame, inputs.columns).tolist()


def test_few_rows_are_all_golden_and_repeated() -> None:
    """A history of 7 rows still gives 100 golden ones."""
    inputs = infer_inputs(pd.DataFrame({"a": range(7)}))
    rows = golden_rows(inputs.frame, inputs.columns)
    assert len(rows) == 100
    assert set(rows.tolist()) == set(range(7))


@given(st.lists(st.floats(-1e9, 1e9) | st.just(float("nan")), max_size=200))
def test_edges_rise_and_hold_all_values(values: list[float]) -> None:
    """Every value seen at training falls between the first and the last edge."""
    found = edges(np.array(values, dtype=np.float64))
    known = [v for v in values if not np.isnan(v)]
    assert 2 <= len(found) <= BINS + 1
    assert list(found) == sorted(set(found))
    if known:
        assert found[0] <= min(known)
        assert found[-1] >= max(known)


def test_few_different_values_have_a_bin_each() -> None:
    """0 and 1 are told apart; many values share bins of equally many rows."""
    assert edges(np.array([0, 1, 1, 0])) == (-0.5, 0.5, 1.5)
    counts, _ = np.histogram(np.arange(1_000), edges(np.arange(1_000)))
    assert counts.tolist() == [50] * BINS


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([True, False], (False, True)),
        ([2, 1], (1, 2)),
        ([1.0, 0.0], (0, 1)),
        (["no", "yes"], ("no", "yes")),
        (pd.Categorical(["yes", "no"]), ("no", "yes")),
        (pd.array([1, 0], dtype="Int64"), (0, 1)),
        (pd.array([True, False], dtype="boolean"), (False, True)),
    ],
)
def test_classes_are_bools_integers_or_texts(values: Any, classes: tuple[Any, ...]) -> None:
    """In the order of probabilities, with the type they have in JSON."""
    frame = pd.DataFrame({"y": values})
    target = target_values(frame, "y", Task.CLASSIFICATION)
    fitted = LogisticRegression().fit([[0.0], [1.0]], target)
    output = output_of("y", Task.CLASSIFICATION, fitted, target)
    assert output.classes == classes
    assert [type(c) for c in output.classes or ()] == [type(c) for c in classes]
    assert output.probabilities


@pytest.mark.parametrize(
    ("values", "task", "message"),
    [
        ([1.0, None], "regression", "missing in 1 rows.*dropna"),
        (["a", "b"], "regression", "holds string instead of numbers"),
        ([True, False], "regression", "holds bool instead of numbers"),
        ([0.5, 1.0], "classification", "classes are bools, integers or texts"),
        ([1, 1], "classification", "has 1 classes"),
        (list(range(2_000)), "classification", "has 2000 classes"),
    ],
)
def test_a_target_that_does_not_fit_its_task_is_refused(
    values: list[Any], task: str, message: str
) -> None:
    """The message names the target and what it holds."""
    with pytest.raises(InvalidInputError, match=message):
        target_values(pd.DataFrame({"y": values}), "y", Task(task))


def test_the_task_is_the_estimators() -> None:
    """What it does is found out; a contradiction, and what does neither, is refused."""
    assert task_of(LinearRegression(), None) is Task.REGRESSION
    assert task_of(LogisticRegression(), "classification") is Task.CLASSIFICATION
    with pytest.raises(InvalidInputError, match="is regression, but LogisticRegression does"):
        task_of(LogisticRegression(), "regression")
    with pytest.raises(InvalidInputError, match="KMeans is neither"):
        task_of(KMeans(), None)
