"""The check: what counts as degraded, and what it says about it."""

from typing import Any

import pytest

from tiltyard.errors import NotFoundError
from tiltyard.evaluation.check import CheckReport, check
from tiltyard.types.registry import Thresholds


def judged(
    metric: str, history: float | None, live: float | None, rows: int = 1000, **limits: Any
) -> CheckReport:
    """Check one metric without drift."""
    return check(
        Thresholds(metric=metric, **limits), {metric: history}, {metric: live, "n": rows}, {}
    )


@pytest.mark.parametrize(
    ("metric", "history", "live", "degraded"),
    [
        ("rmse", 10.0, 12.5, False),
        ("rmse", 10.0, 12.6, True),
        ("rmse", 10.0, 5.0, False),
        ("accuracy", 0.8, 0.61, False),
        ("accuracy", 0.8, 0.59, True),
        ("accuracy", 0.8, 0.99, False),
        ("r2", -0.5, -0.7, True),
        ("bias", -10.0, 11.0, False),
        ("bias", -10.0, 13.0, True),
        ("log_loss", 0.0, 0.2, False),
        ("log_loss", 0.0, 0.3, True),
    ],
)
def test_a_quarter_worse_is_accepted(
    metric: str, history: float, live: float, degraded: bool
) -> None:
    """In the direction of the metric; of a bias its size; as such where history has zero."""
    assert judged(metric, history, live).degraded is degraded


def test_the_report_has_the_numbers() -> None:
    """Values, worsening, rows, and a sentence."""
    report = judged("rmse", 10.0, 15.0, rows=321)
    assert (report.history, report.live, report.rows) == (10.0, 15.0, 321)
    assert report.worsening == pytest.approx(0.5)
    (sentence,) = report.reasons
    assert sentence.startswith("rmse is 15 on 321 live rows and 10 on history: 50.0% worse;")
    assert sentence.endswith("up to 25.0% worse is accepted.")
    assert "20.0% better" in judged("rmse", 10.0, 8.0).reasons[0]


def test_too_few_rows_are_no_evidence() -> None:
    """It says so, and how many are needed."""
    report = judged("rmse", 10.0, 99.0, rows=199)
    assert not report.degraded
    assert report.reasons == ("Only 199 live rows have an actual; 200 are needed to judge rmse.",)
    assert judged("rmse", 10.0, 99.0, rows=200).degraded


@pytest.mark.parametrize(
    ("history", "live", "where"), [(None, 0.5, "the history"), (0.5, None, "the live rows")]
)
def test_an_undefined_metric_cannot_be_judged(
    history: float | None, live: float | None, where: str
) -> None:
    """It says on which side."""
    report = judged("roc_auc", history, live)
    assert not report.degraded
    assert report.worsening is None
    assert f"not defined on {where}" in report.reasons[0]


def test_drift_degrades_when_its_limit_is_set() -> None:
    """Actuals are not needed for it; the worst input comes first."""
    live = {"rmse": None, "n": 0, "dropped": 500}
    drift = {"temp": 0.3, "hum": 0.1, "wind": 0.5}
    limited = check(Thresholds(metric="rmse", max_psi=0.25), {"rmse": 1.0}, live, drift)
    assert limited.degraded
    assert [r.split("'")[1] for r in limited.reasons[1:]] == ["wind", "temp"]
    assert "0.500 on 500 live rows, above 0.25" in limited.reasons[1]
    assert limited.drift == drift
    assert not check(Thresholds(metric="rmse"), {"rmse": 1.0}, live, drift).degraded


def test_drift_of_too_few_rows_is_chance() -> None:
    """It does not degrade."""
    live = {"rmse": None, "n": 0, "dropped": 199}
    report = check(Thresholds(metric="rmse", max_psi=0.25), {"rmse": 1.0}, live, {"temp": 9.0})
    assert not report.degraded


def test_an_unknown_metric_is_named() -> None:
    """With those there are."""
    with pytest.raises(NotFoundError, match=r"'speed'.*rmse"):
        judged("speed", 1.0, 1.0)


def test_the_report_is_json() -> None:
    """As control answers it."""
    report = judged("rmse", 10.0, 15.0)
    assert CheckReport.model_validate_json(report.model_dump_json()) == report
