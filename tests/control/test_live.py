"""Metrics, the check, scored rows, followers."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from support.control import (
    Control,
    add_version,
    deploy,
    log_rows,
    tar_of,
    version_folder,
)
from tiltyard.errors import ConflictError, InvalidInputError, NotFoundError
from tiltyard.types.registry import Thresholds

AT = datetime(2024, 2, 1, tzinfo=UTC)


def hour(n: int) -> datetime:
    """Return the time of the nth logged row."""
    return AT.replace(hour=n)


@pytest.fixture
def champion(control: Control, bikes: str, tmp_path: Path) -> Control:
    """A control whose model bikes has version 1 as champion, with history predictions."""
    digest = control.client().history("bikes").digest
    folder = version_folder(tmp_path / "v1", history=digest)
    batch = pa.record_batch({"value": pa.array([2.0, 10, 20, 30, 40, 50])})
    control.client("scientist").add_version("bikes", tar_of(folder), (batch.schema, [batch]))
    deploy(control, 1)
    control.client("promoter").promote("bikes", 1, None, "first")
    return control


def test_live_metrics_are_of_the_rows_with_actuals(champion: Control) -> None:
    """RMSE by hand: errors 1 and 3; the row without an actual is dropped."""
    log_rows(champion, [(10.0, 11.0), (20.0, 17.0), (5.0, None)])
    found = champion.client("viewer").metrics("bikes")
    assert (found["version"], found["source"], found["rows"]) == (1, "live", 2)
    assert found["metrics"]["rmse"] == pytest.approx(np.sqrt(5))
    assert found["metrics"]["dropped"] == 1


def test_a_window_cuts_by_event_time(champion: Control) -> None:
    """Start is within, end is not; known_by forgets later actuals."""
    log_rows(champion, [(10.0, 11.0), (20.0, 17.0), (5.0, 9.0)])
    client = champion.client("viewer")
    window = client.metrics("bikes", start=hour(1), end=hour(2))
    assert (window["rows"], window["metrics"]["mae"]) == (1, 3.0)
    assert client.metrics("bikes", known_by=hour(0))["rows"] == 1


def test_history_metrics_are_of_its_predictions(champion: Control) -> None:
    """Of all rows, or of a window of event times."""
    client = champion.client("viewer")
    whole = client.metrics("bikes", source="history")
    assert (whole["rows"], whole["metrics"]["mae"]) == (6, pytest.approx(2 / 6))
    end = datetime(2024, 1, 1, 1, tzinfo=UTC)
    first = client.metrics("bikes", source="history", end=end)
    assert (first["rows"], first["metrics"]["mae"]) == (1, 2.0)


def test_a_version_without_history_predictions_is_told_so(
    control: Control, bikes: str, tmp_path: Path
) -> None:
    """Metrics over history need them; without a champion a version is to be named."""
    add_version(control, tmp_path / "v1")
    with pytest.raises(NotFoundError, match="bikes version 1"):
        control.client().metrics("bikes", version=1, source="history")
    with pytest.raises(ConflictError, match="name a version"):
        control.client().metrics("bikes")
    assert control.client().metrics("bikes", version=1)["rows"] == 0


def test_the_check_compares_live_with_the_hold_out(champion: Control) -> None:
    """A hold-out RMSE of 10: 30 is 200 % worse, and enough rows say so."""
    champion.client("scientist").patch_model(
        "bikes", thresholds=Thresholds(metric="rmse", max_worsening=0.25, min_rows=3)
    )
    log_rows(champion, [(10.0, 40.0)] * 2)
    report = champion.client("viewer").check("bikes")
    assert not report["degraded"]
    assert "Only 2 live rows" in report["reasons"][0]
    log_rows(champion, [(10.0, 40.0)] * 3, first=10)
    report = champion.client("viewer").check("bikes")
    assert report["degraded"]
    assert (report["metric"], report["history"], report["rows"]) == ("rmse", 10.0, 5)
    assert report["live"] == pytest.approx(30.0)


def test_the_check_looks_back_from_the_newest_event(champion: Control) -> None:
    """Older rows than window_days do not count."""
    champion.client("scientist").patch_model(
        "bikes", thresholds=Thresholds(metric="rmse", min_rows=1, window_days=1)
    )
    log_rows(champion, [(10.0, 40.0)])
    log_rows(champion, [(10.0, 11.0)], start=AT.replace(month=3), first=10)
    report = champion.client("viewer").check("bikes")
    assert (report["rows"], report["live"]) == (1, 1.0)


def test_drift_is_told_for_each_input(champion: Control) -> None:
    """Weather that was half rain is all sun now; temperatures above all bins."""
    champion.client("scientist").patch_model(
        "bikes", thresholds=Thresholds(metric="rmse", min_rows=5, max_psi=0.25)
    )
    log_rows(champion, [(10.0, 10.0)] * 40)
    report = champion.client("viewer").check("bikes")
    assert set(report["drift"]) == {"temperature", "weather"}
    assert report["drift"]["weather"] > 0.25
    assert report["degraded"]
    assert any("'weather' has drifted" in reason for reason in report["reasons"])


def test_a_check_needs_a_champion_and_no_rows(control: Control, bikes: str) -> None:
    """Without a champion there is nothing to check."""
    with pytest.raises(ConflictError, match="no champion"):
        control.client().check("bikes")


def test_a_check_without_live_rows_is_no_alarm(champion: Control) -> None:
    """Nothing was seen yet."""
    report = champion.client("viewer").check("bikes")
    assert (report["degraded"], report["rows"], report["live"]) == (False, 0, None)


def test_an_unknown_metric_is_refused_when_it_is_set(control: Control, bikes: str) -> None:
    """Not when it is needed; the metrics of the task are named."""
    with pytest.raises(InvalidInputError, match="no metric of a regression: take mae, rmse"):
        control.client("scientist").patch_model("bikes", thresholds=Thresholds(metric="f1"))


def test_scored_rows_come_as_the_store_has_them(champion: Control) -> None:
    """By time; with a limit the newest."""
    log_rows(champion, [(1.0, 11.0), (2.0, None), (3.0, 33.0)])
    client = champion.client("viewer")
    table = pa.Table.from_batches(list(client.scored("bikes", 1)))
    assert table["value"].to_pylist() == [1.0, 2.0, 3.0]
    assert table["actual"].to_pylist() == [11.0, None, 33.0]
    newest = pa.Table.from_batches(list(client.scored("bikes", 1, limit=1)))
    assert newest["value"].to_pylist() == [3.0]
    nothing = list(client.scored("bikes", 1, start=hour(9)))
    assert sum(batch.num_rows for batch in nothing) == 0


def test_a_follower_is_sent_back_and_never_forward(champion: Control, tmp_path: Path) -> None:
    """Replaying sets the cursor before the first row of that time."""
    add_version(champion, tmp_path / "v2", description="2")
    log_rows(champion, [(1.0, None)] * 5)
    deploy(champion, 2)
    client = champion.client("scientist")
    assert client.progress("bikes", 2) == {"cursor": {"1": 5}, "watermark": {"1": 5}, "behind": 0}
    assert client.replay("bikes", 2, hour(2)) == {
        "cursor": {"1": 2}, "watermark": {"1": 5}, "behind": 3,
    }  # fmt: skip
    assert client.replay("bikes", 2, hour(4))["behind"] == 3


def test_a_follower_that_never_began_is_behind_by_all(champion: Control, tmp_path: Path) -> None:
    """A replay lets it begin where it is wanted."""
    add_version(champion, tmp_path / "v2", description="2")
    log_rows(champion, [(1.0, None)] * 5)
    client = champion.client("scientist")
    assert client.progress("bikes", 2)["behind"] == 5
    assert client.replay("bikes", 2, hour(3))["behind"] == 2


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.metrics("bikes", version=9),
        lambda c: c.progress("bikes", 9),
        lambda c: c.replay("bikes", 9, AT),
        lambda c: list(c.scored("bikes", 9)),
        lambda c: c.metrics("cars"),
        lambda c: c.check("cars"),
    ],
)
def test_unknown_models_and_versions_are_404(
    champion: Control, call: Callable[[Any], object]
) -> None:
    """Each names what there is not."""
    with pytest.raises(NotFoundError, match="There is no"):
        call(champion.client())


def test_naive_times_are_refused(champion: Control) -> None:
    """A window without a zone is a 422 that names the parameter."""
    answer = champion.call("GET", "/models/bikes/metrics?start=2024-01-01T00:00:00", "viewer")
    assert answer.status_code == 422
    assert "query.start" in answer.json()["error"]["message"]
