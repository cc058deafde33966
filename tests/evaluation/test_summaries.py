"""Summaries: merged parts say the same as the whole, and give scikit-learn's metrics."""

import math
from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiltyard.errors import InvalidInputError
from tiltyard.evaluation.from_sums import metrics_from
from tiltyard.evaluation.metrics import metrics_for
from tiltyard.evaluation.summaries import (
    Summary,
    decode_summary,
    encode_summary,
    merge,
    merge_all,
    summarise_inputs,
    summarise_version,
)
from tiltyard.types.schema import CallSchema, Column, ColumnType, Task

SCHEMA = CallSchema(
    columns=(
        Column(name="temp", type=ColumnType.FLOAT64, nullable=True),
        Column(name="count", type=ColumnType.INT64, nullable=True),
        Column(name="weather", type=ColumnType.CATEGORY, nullable=True, levels=("dry", "wet")),
        Column(name="holiday", type=ColumnType.BOOL, nullable=True),
        Column(name="note", type=ColumnType.STRING, nullable=True),
        Column(name="day", type=ColumnType.DATE, nullable=True),
        Column(name="at", type=ColumnType.DATETIME, nullable=True),
    ),
    target="rentals",
    target_type=ColumnType.FLOAT64,
)

HISTOGRAMS = {"temp": (0.0, 10.0, 20.0)}

temperatures = st.none() | st.floats(-1e6, 1e6)
rows = st.fixed_dictionaries(
    {
        "temp": temperatures,
        "count": st.none() | st.integers(-(2**40), 2**40),
        "weather": st.sampled_from([None, "dry", "wet", "snow"]),
        "holiday": st.sampled_from([None, True, False]),
        "note": st.none() | st.text(max_size=3),
    }
)
numbers = st.none() | st.floats(-1e4, 1e4).map(lambda x: round(x, 3))
pairs = st.tuples(numbers, numbers)
chances = st.floats(0.01, 0.99)
labelled = st.tuples(
    st.sampled_from([None, "a", "b", "new"]), st.none() | st.sampled_from("ab"), chances
)


def same(a: Summary, b: Summary) -> bool:
    """Whether two summaries say the same, sums to rounding."""

    def walk(x: Any, y: Any) -> bool:
        if isinstance(x, dict):
            return x.keys() == y.keys() and all(walk(x[k], y[k]) for k in x)
        if isinstance(x, list | tuple):
            return len(x) == len(y) and all(map(walk, x, y))
        if isinstance(x, float) and isinstance(y, float):
            return math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-3)
        return bool(x == y)

    return walk(msgspec.to_builtins(a), msgspec.to_builtins(b))


def close(found: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Whether metrics are the same to 1e-9, undefined ones alike."""
    return found.keys() == expected.keys() and all(
        value == pytest.approx(expected[name], rel=1e-9, abs=1e-9)
        if isinstance(value, float) and isinstance(expected[name], float)
        else value == expected[name]
        for name, value in found.items()
    )


def regression(rows: list[tuple[float | None, float | None]]) -> Summary:
    """Summarise (actual, predicted)."""
    return summarise_version(
        [made for _, made in rows],
        [truth for truth, _ in rows],
        task=Task.REGRESSION,
        edges=(-10.0, 0.0, 10.0),
    )


def classification(rows: list[tuple[Any, Any, float]]) -> Summary:
    """Summarise (actual, predicted, probability of b)."""
    return summarise_version(
        [made for _, made, _ in rows],
        [truth for truth, _, _ in rows],
        task=Task.CLASSIFICATION,
        probabilities=[[1 - p, p] for _, _, p in rows],
        classes=("a", "b"),
    )


def test_inputs_are_counted_by_their_types() -> None:
    """Numbers have moments and a histogram, categories and bools levels, texts counts only."""
    found = summarise_inputs(
        [
            {"temp": 5.0, "weather": "dry", "holiday": True, "note": "x", "count": 2},
            {"temp": 20.0, "weather": "snow", "holiday": False, "day": "1970-01-03"},
            {"temp": math.nan, "weather": None, "at": datetime(1970, 1, 1, 0, 1, tzinfo=UTC)},
            {"temp": -1.0, "weather": "dry", "count": 4, "day": date(1970, 1, 1)},
            {"temp": 99.0, "at": "1970-01-01T01:00:00+01:00"},
        ],
        SCHEMA,
        HISTOGRAMS,
    )
    assert found.rows == 5
    temp, weather = found.inputs["temp"], found.inputs["weather"]
    assert (temp.n, temp.missing, temp.counts) == (4, 1, [1, 1, 1, 1])
    assert (temp.moments.total, temp.moments.minimum, temp.moments.maximum) == (123.0, -1.0, 99.0)
    assert temp.moments.spread == pytest.approx(25 + 400 + 1 + 9801 - 123**2 / 4)
    assert (weather.levels, weather.other, weather.missing) == ({"dry": 2}, 1, 2)
    assert found.inputs["holiday"].levels == {"true": 1, "false": 1}
    assert (found.inputs["note"].n, found.inputs["note"].missing) == (1, 4)
    assert (found.inputs["count"].moments.total, found.inputs["count"].counts) == (6.0, [])
    assert found.inputs["day"].moments.total == 2.0
    assert (found.inputs["at"].moments.minimum, found.inputs["at"].moments.maximum) == (0.0, 60.0)


@given(st.lists(st.floats(-30, 30), max_size=30))
def test_histograms_are_numpys(values: list[float]) -> None:
    """Each bin holds its lower edge, the last one its upper edge as well."""
    edges = (-10.0, 0.0, 2.5, 10.0)
    found = summarise_inputs([{"temp": v} for v in values], SCHEMA, {"temp": edges})
    counts = found.inputs["temp"].counts
    assert counts[1:-1] == np.histogram(values, edges)[0].tolist()
    assert counts[0] == sum(v < -10 for v in values)
    assert counts[-1] == sum(v > 10 for v in values)


def test_what_a_type_cannot_hold_is_missing() -> None:
    """As it is in the frames of live rows."""
    found = summarise_inputs([{"temp": "warm", "day": "soon", "count": 10**400}], SCHEMA, {})
    assert all(column.missing == 1 for column in found.inputs.values())


@settings(max_examples=50)
@given(st.lists(rows, max_size=30), st.integers(0, 30), st.integers(0, 30))
def test_merged_inputs_are_those_of_the_whole(
    rows: list[dict[str, Any]], first: int, second: int
) -> None:
    """Wherever it is cut, in whatever order it is merged."""
    cuts = sorted((first, second))
    parts = [rows[: cuts[0]], rows[cuts[0] : cuts[1]], rows[cuts[1] :]]
    a, b, c = (summarise_inputs(part, SCHEMA, HISTOGRAMS) for part in parts)
    whole = summarise_inputs(rows, SCHEMA, HISTOGRAMS)
    assert same(merge(merge(a, b), c), whole)
    assert same(merge(a, merge(b, c)), whole)
    assert same(merge(c, merge(b, a)), whole)


@settings(max_examples=50)
@given(st.lists(pairs, max_size=30), st.integers(0, 30))
def test_merged_regressions_are_those_of_the_whole(
    rows: list[tuple[float | None, float | None]], cut: int
) -> None:
    """Also in the other order."""
    whole = regression(rows)
    assert same(merge(regression(rows[:cut]), regression(rows[cut:])), whole)
    assert same(merge(regression(rows[cut:]), regression(rows[:cut])), whole)


@settings(max_examples=50)
@given(st.lists(labelled, max_size=30), st.integers(0, 30))
def test_merged_classifications_are_those_of_the_whole(
    rows: list[tuple[Any, Any, float]], cut: int
) -> None:
    """Also in the other order."""
    whole = classification(rows)
    assert same(merge(classification(rows[:cut]), classification(rows[cut:])), whole)
    assert same(merge(classification(rows[cut:]), classification(rows[:cut])), whole)


def test_no_rows_change_nothing() -> None:
    """``Summary()`` is neutral; merging none gives it."""
    some = regression([(1.0, 2.0)])
    assert merge(some, Summary()) == merge(Summary(), some) == some
    assert merge_all([]) == Summary()
    assert merge_all([some, some]).rows == 2


@settings(max_examples=60)
@given(st.lists(pairs, max_size=40))
def test_regression_metrics_from_sums_are_those_from_rows(
    rows: list[tuple[float | None, float | None]],
) -> None:
    """To 1e-9, undefined ones alike."""
    expected = metrics_for(Task.REGRESSION, [a for a, _ in rows], [p for _, p in rows])
    merged = merge_all(regression([row]) for row in rows)
    for summary in (regression(rows), merged):
        assert close(metrics_from(summary, Task.REGRESSION), expected)


@settings(max_examples=60)
@given(st.lists(labelled, max_size=40))
def test_classification_metrics_from_sums_are_those_from_rows(
    rows: list[tuple[Any, Any, float]],
) -> None:
    """All but ROC AUC, which sums cannot give."""
    expected = metrics_for(
        Task.CLASSIFICATION,
        [row[0] for row in rows],
        [row[1] for row in rows],
        [[1 - row[2], row[2]] for row in rows],
        ("a", "b"),
    )
    del expected["roc_auc"]
    merged = merge_all(classification([row]) for row in rows) if rows else classification([])
    for summary in (classification(rows), merged):
        assert close(metrics_from(summary, Task.CLASSIFICATION), expected)


def test_metrics_of_many_classes_from_sums() -> None:
    """Macro means with a class that never occurs."""
    rng = np.random.default_rng(5)
    classes = (0, 1, 2, 3)
    table = rng.dirichlet([1.0] * 4, 300)
    truth = rng.integers(0, 3, 300).tolist()
    made = table.argmax(axis=1).tolist()
    expected = metrics_for(Task.CLASSIFICATION, truth, made, table, classes)
    del expected["roc_auc"]
    summary = summarise_version(
        made, truth, task=Task.CLASSIFICATION, probabilities=table.tolist(), classes=classes
    )
    found = metrics_from(summary, Task.CLASSIFICATION)
    assert close(found, expected)


def test_r2_survives_a_large_offset() -> None:
    """Sums of squares alone would lose all digits here."""
    rng = np.random.default_rng(6)
    truth = (1e9 + rng.normal(0, 1, 1000)).tolist()
    made = [x + 0.1 for x in truth]
    expected = metrics_for(Task.REGRESSION, truth, made)
    merged = merge_all(
        summarise_version(made[i : i + 9], truth[i : i + 9], task=Task.REGRESSION)
        for i in range(0, 1000, 9)
    )
    assert metrics_from(merged, Task.REGRESSION)["r2"] == pytest.approx(expected["r2"], rel=1e-6)


def test_outputs_and_scores_are_counted() -> None:
    """Predicted classes, refusals, and the positive class's probability by what came true."""
    found = summarise_version(
        ["a", "b", None, "b"],
        ["a", "b", None, "a"],
        task=Task.CLASSIFICATION,
        probabilities=[[0.9, 0.1], [0.2, 0.8], None, [0.0, 1.0]],
        classes=("a", "b"),
        refusals=1,
    )
    assert found.refusals == 1
    assert found.output is not None
    assert (found.output.levels, found.output.missing) == ({"a": 1, "b": 2}, 1)
    assert found.classes is not None
    positives = {i: n for i, n in enumerate(found.classes.positives) if n}
    negatives = {i: n for i, n in enumerate(found.classes.negatives) if n}
    assert sum(positives.values()) == 1
    assert negatives == Counter({3: 1, 20: 1})


def test_different_edges_leave_no_histogram() -> None:
    """Their counts cannot be added; all else can, in any order."""
    parts = [
        summarise_inputs([{"temp": 1.0}], SCHEMA, {"temp": edges})
        for edges in [(0.0, 1.0), (0.0, 2.0), (0.0, 1.0)]
    ]
    a, b, c = parts
    merged = merge(merge(a, b), c)
    assert merged == merge(merge(a, c), b)
    assert (merged.inputs["temp"].edges, merged.inputs["temp"].counts) == ((), [])
    assert merged.inputs["temp"].n == 3


def test_different_classes_cannot_be_merged() -> None:
    """They belong to different models."""
    a = summarise_version(["x"], ["x"], task=Task.CLASSIFICATION, classes=("x", "y"))
    b = summarise_version(["x"], ["x"], task=Task.CLASSIFICATION, classes=("x", "z"))
    with pytest.raises(InvalidInputError, match="cannot be merged"):
        merge(a, b)


def test_a_summary_survives_its_encoding() -> None:
    """MessagePack, to the bit."""
    for summary in (
        Summary(),
        summarise_inputs([{"temp": 0.1, "weather": "wet"}], SCHEMA, HISTOGRAMS),
        regression([(1.0, 2.0), (None, 0.1)]),
        classification([("a", "b", 0.3)]),
        summarise_version([True], [False], task=Task.CLASSIFICATION, classes=(False, True)),
    ):
        assert decode_summary(encode_summary(summary)) == summary
