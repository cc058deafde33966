"""Metrics are scikit-learn's, and None where they are not defined."""

import math
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

from tiltyard.errors import NotFoundError
from tiltyard.evaluation.metrics import (
    classification_metrics,
    metrics_for,
    regression_metrics,
)
from tiltyard.types.metrics import METRICS, better
from tiltyard.types.schema import Label, Task

RNG = np.random.default_rng(20120401)


def sample(classes: tuple[Label, ...], rows: int = 400) -> tuple[list[Any], list[Any], Any]:
    """Return actual, predicted, probabilities of a poor classifier."""
    codes = RNG.integers(0, len(classes), rows)
    chances = RNG.dirichlet([1.0] * len(classes), rows) + np.eye(len(classes))[codes]
    chances /= chances.sum(axis=1, keepdims=True)
    predicted = [classes[i] for i in chances.argmax(axis=1)]
    return [classes[i] for i in codes], predicted, chances


def test_a_regression_is_measured_as_by_scikit_learn() -> None:
    """All its numbers, on random data."""
    actual = RNG.normal(100, 30, 500)
    predicted = actual + RNG.normal(3, 10, 500)
    found = regression_metrics(actual, predicted)
    assert found == pytest.approx(
        {
            "n": 500,
            "dropped": 0,
            "mae": sk.mean_absolute_error(actual, predicted),
            "rmse": sk.root_mean_squared_error(actual, predicted),
            "mape": sk.mean_absolute_percentage_error(actual, predicted),
            "r2": sk.r2_score(actual, predicted),
            "bias": (predicted - actual).mean(),
        }
    )


def test_two_classes_are_measured_as_by_scikit_learn() -> None:
    """Precision, recall, F1, ROC AUC and Brier are of the last class."""
    actual, predicted, chances = sample(("no", "yes"))
    found = classification_metrics(actual, predicted, chances, ("no", "yes"))
    positive = np.array(actual) == "yes"
    matrix = found.pop("confusion_matrix")
    assert matrix == sk.confusion_matrix(actual, predicted).tolist()
    assert found == pytest.approx(
        {
            "n": 400,
            "dropped": 0,
            "accuracy": sk.accuracy_score(actual, predicted),
            "balanced_accuracy": sk.balanced_accuracy_score(actual, predicted),
            "precision": sk.precision_score(actual, predicted, pos_label="yes"),
            "recall": sk.recall_score(actual, predicted, pos_label="yes"),
            "f1": sk.f1_score(actual, predicted, pos_label="yes"),
            "roc_auc": sk.roc_auc_score(positive, chances[:, 1]),
            "log_loss": sk.log_loss(actual, chances),
            "brier": sk.brier_score_loss(positive, chances[:, 1]),
        }
    )


def test_the_order_of_the_classes_is_the_models() -> None:
    """The positive class is the last as the signature says, not by the alphabet."""
    actual, predicted, chances = sample(("yes", "no"))
    found = classification_metrics(actual, predicted, chances, ("yes", "no"))
    assert found["recall"] == pytest.approx(sk.recall_score(actual, predicted, pos_label="no"))
    matrix = sk.confusion_matrix(actual, predicted, labels=["yes", "no"])
    assert found["confusion_matrix"] == matrix.tolist()


def test_more_classes_are_measured_as_by_scikit_learn() -> None:
    """Macro means, one class against the rest, Brier's own sum over classes."""
    classes = (1, 2, 5, 7)
    actual, predicted, chances = sample(classes)
    found = classification_metrics(actual, predicted, chances, classes)
    hits = np.array(actual)[:, None] == np.array(classes)
    assert found["precision"] == pytest.approx(
        sk.precision_score(actual, predicted, average="macro")
    )
    assert found["recall"] == pytest.approx(sk.recall_score(actual, predicted, average="macro"))
    assert found["f1"] == pytest.approx(sk.f1_score(actual, predicted, average="macro"))
    assert found["balanced_accuracy"] == pytest.approx(
        sk.balanced_accuracy_score(actual, predicted)
    )
    auc = sk.roc_auc_score(actual, chances, multi_class="ovr", labels=list(classes))
    assert found["roc_auc"] == pytest.approx(auc)
    assert found["log_loss"] == pytest.approx(sk.log_loss(actual, chances, labels=list(classes)))
    assert found["brier"] == pytest.approx(((chances - hits) ** 2).sum(axis=1).mean())


@pytest.mark.parametrize("missing", [None, math.nan])
def test_rows_with_a_missing_side_are_dropped_and_counted(missing: float | None) -> None:
    """The rest is measured as if they were not there."""
    found = regression_metrics([1.0, missing, 3.0, 4.0], [2.0, 2.0, missing, 4.0])
    assert (found["n"], found["dropped"], found["mae"]) == (2, 2, 0.5)
    labels = classification_metrics(["a", missing, "b"], ["a", "b", missing], None, ("a", "b"))
    assert (labels["n"], labels["dropped"], labels["accuracy"]) == (1, 2, 1.0)


@pytest.mark.parametrize("task", list(Task))
def test_nothing_to_measure_is_none(task: Task) -> None:
    """Every number is there and undefined."""
    found = metrics_for(task, [], [], None, ("a", "b"))
    assert found["n"] == 0
    assert {name: found[name] for name in METRICS[task]} == dict.fromkeys(METRICS[task])


def test_constant_actuals_have_no_r2() -> None:
    """Nor has a single row."""
    assert regression_metrics([2.0, 2.0], [1.0, 3.0])["r2"] is None
    assert regression_metrics([2.0], [1.0])["r2"] is None


def test_zero_actuals_have_no_percentage() -> None:
    """The mean is over the others; without others there is none."""
    assert regression_metrics([0.0, 2.0], [1.0, 3.0])["mape"] == 0.5
    assert regression_metrics([0.0], [1.0])["mape"] is None


def test_one_class_only() -> None:
    """No ROC AUC; precision and F1 of a class that is neither predicted nor there: None."""
    found = classification_metrics(["a"] * 3, ["a"] * 3, [[0.9, 0.1]] * 3, ("a", "b"))
    assert found["roc_auc"] is None
    assert (found["precision"], found["recall"], found["f1"]) == (None, None, None)
    assert (found["accuracy"], found["balanced_accuracy"]) == (1.0, 1.0)
    assert found["log_loss"] == pytest.approx(-math.log(0.9))


def test_a_label_that_is_no_class_is_a_wrong_answer() -> None:
    """It counts against accuracy and precision; probabilities say nothing of it."""
    found = classification_metrics(
        ["a", "b", "new"], ["a", "b", "b"], [[0.8, 0.2], [0.2, 0.8], [0.1, 0.9]], ("a", "b")
    )
    assert found["n"] == 3
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert (found["precision"], found["recall"]) == (0.5, 1.0)
    assert found["confusion_matrix"] == [[1, 0], [0, 1]]
    assert found["brier"] == pytest.approx(0.04)


def test_labels_of_every_kind() -> None:
    """Bools and integers are the same as floats, as a column of numbers carries them."""
    found = classification_metrics([1.0, 2.0], [1, 1], None, (1, 2))
    assert found["confusion_matrix"] == [[1, 0], [1, 0]]
    found = classification_metrics([True, False], [True, True], None, (False, True))
    assert (found["precision"], found["recall"]) == (0.5, 1.0)


def test_rows_without_probabilities_count_for_their_labels_only() -> None:
    """Metrics of probabilities are over the rows that have them."""
    found = classification_metrics(["a", "b"], ["a", "a"], [None, [0.5, 0.5]], ("a", "b"))
    assert found["accuracy"] == 0.5
    assert found["log_loss"] == pytest.approx(math.log(2))


def test_a_certain_error_has_a_finite_loss() -> None:
    """Probabilities are clipped as scikit-learn clips them."""
    found = classification_metrics(["a", "b"], ["b", "b"], [[0.0, 1.0], [0.0, 1.0]], ("a", "b"))
    assert found["log_loss"] == pytest.approx(sk.log_loss(["a", "b"], [[0.0, 1.0]] * 2))


def test_every_metric_knows_its_better_direction() -> None:
    """Those of both tasks; an unknown one names the known."""
    assert {better(name) for task in Task for name in METRICS[task]} == {"higher", "lower"}
    assert (better("rmse"), better("roc_auc")) == ("lower", "higher")
    with pytest.raises(NotFoundError, match=r"metric 'speed'.*accuracy.*rmse"):
        better("speed")
