"""The real pipelines on the real data, through a real runner and control."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest

from support.control import Control
from support.training import finish, running
from tiltyard.client.frames import to_frame
from tiltyard.settings import Settings
from tiltyard.types.registry import RunKind, RunRequest, RunState, Version

pytestmark = pytest.mark.slow

PIPELINES = Path(__file__).parents[2] / "pipelines"
RUN_S = 250.0


@pytest.fixture(scope="module")
def prepared(settings: Settings, control: Control) -> Iterator[Control]:
    """Both histories are written; a runner is at work."""
    with running(settings, control):
        for name in ("bikeshare", "shuttle"):
            run = finish(control, RunRequest(kind=RunKind.PREPARE, pipeline=name), RUN_S)
            assert (run.state, run.error) == (RunState.SUCCEEDED, None)
        yield control


def trained(control: Control, pipeline: str, **parameters: object) -> Version:
    """Train a version; a known one is there at once."""
    request = RunRequest(kind=RunKind.TRAIN, pipeline=pipeline, parameters=parameters)
    run = finish(control, request, RUN_S)
    assert (run.state, run.error) == (RunState.SUCCEEDED, None)
    assert run.version is not None
    return control.client().version(pipeline, run.version)


def test_the_history_of_bikeshare_ends_with_march(prepared: Control) -> None:
    """It holds what applications send, the hour and the target, and nothing else."""
    client = prepared.client()
    history = client.history("bikeshare")
    assert history.rows == 688 + 649 + 730
    assert str(history.event_start) == "2011-01-01 00:00:00+00:00"
    assert str(history.event_end) == "2011-03-31 23:00:00+00:00"
    assert sorted(history.columns) == sorted(
        [
            "hour",
            "season",
            "hr",
            "weekday",
            "workingday",
            "holiday",
            "weathersit",
            "temp",
            "atemp",
            "hum",
            "windspeed",
            "bikers",
        ]
    )
    schema = client.model("bikeshare").call_schema
    assert (schema.target, schema.event_time) == ("bikers", "hour")
    weather = schema.column("weathersit")
    assert weather is not None
    assert weather.levels is not None
    assert "heavy rain/snow" in weather.levels


def test_the_history_of_shuttle_is_its_first_part(prepared: Control) -> None:
    """In the order of the file."""
    raw = pd.read_csv(PIPELINES / "data" / "shuttle.csv.gz")
    kept = to_frame(prepared.client().read_history("shuttle"))
    pd.testing.assert_frame_equal(kept, raw.head(29458), check_like=True, check_dtype=False)
    assert prepared.client().model("shuttle").call_schema.event_time is None


@pytest.mark.parametrize("estimator", ["forest", "boosting", "linear"])
def test_bikeshare_degrades_in_april(
    prepared: Control, monkeypatch: pytest.MonkeyPatch, estimator: str
) -> None:
    """Every model of the winter does; the estimator takes the rows as applications send them."""
    version = trained(prepared, "bikeshare", estimator=estimator)
    holdout = version.manifest.metrics["rmse"]
    assert holdout < 45
    assert _april_rmse(prepared, version, monkeypatch) > 1.5 * holdout


def test_the_linear_challenger_does_better_in_april(
    prepared: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may go beyond what it has seen; a forest may not."""
    forest, linear = (trained(prepared, "bikeshare", estimator=e) for e in ("forest", "linear"))
    both = [_april_rmse(prepared, v, monkeypatch) for v in (forest, linear)]
    assert both[1] < 0.9 * both[0]
    assert "hour" not in {c.name for c in forest.manifest.signature.inputs}
    assert "hour" in {c.name for c in linear.manifest.signature.inputs}


@pytest.mark.parametrize(("estimator", "f1"), [("logistic", 0.95), ("forest", 0.99)])
def test_shuttle_tells_anomalies(prepared: Control, estimator: str, f1: float) -> None:
    """On the newest fifth of its history."""
    version = trained(prepared, "shuttle", estimator=estimator, n_estimators=20)
    assert version.manifest.metrics["f1"] > f1
    assert version.manifest.signature.output.classes == (0, 1)


def test_a_window_cuts_the_training_data(prepared: Control) -> None:
    """Its predictions are of the whole history all the same."""
    version = trained(prepared, "bikeshare", estimator="linear", end="2011-02-01")
    assert version.manifest.metrics["n"] == round(688 / 5)
    assert version.manifest.history_metrics["n"] == 2067


def test_an_unknown_estimator_fails_with_the_known_ones(prepared: Control) -> None:
    """The run's error is the notebook's sentence."""
    run = finish(
        prepared,
        RunRequest(kind=RunKind.TRAIN, pipeline="shuttle", parameters={"estimator": "oracle"}),
        RUN_S,
    )
    assert run.state is RunState.FAILED
    assert (run.error or "").startswith(
        "ValueError: estimator is one of logistic, forest, boosting, not 'oracle'"
    )


def _april_rmse(control: Control, version: Version, monkeypatch: pytest.MonkeyPatch) -> float:
    folder = control.parts.artifacts.path(version.digest)
    monkeypatch.syspath_prepend(folder / "code")
    estimator: Any = joblib.load(folder / "model.joblib")
    rides = _april()
    inputs = rides[[column.name for column in version.manifest.signature.inputs]]
    return float(np.sqrt(np.mean((estimator.predict(inputs) - rides["bikers"]) ** 2)))


def _april() -> pd.DataFrame:
    rides = pd.read_csv(PIPELINES / "data" / "bikeshare.csv.gz").query("mnth == 'April'")
    days = pd.to_timedelta(rides["day"] - 1, unit="D") + pd.to_timedelta(rides["hr"], unit="h")
    rides["weathersit"] = rides["weathersit"].astype("category")
    return rides.assign(hour=pd.Timestamp("2011-01-01", tz="UTC") + days)
