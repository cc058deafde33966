"""What a dashboard asks: series, metrics from summaries, the overview."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn import metrics as sk

from support.control import (
    Control,
    bikes_frame,
    deploy,
    log_rows,
    summarise,
    tar_of,
    version_folder,
    write_bikes,
)
from tiltyard.client.frames import to_batches
from tiltyard.errors import ConflictError, InvalidInputError, NotFoundError
from tiltyard.registry.clock import microseconds
from tiltyard.stores.base import relay_task
from tiltyard.types.monitor import Axis, Line, Resolution, Series
from tiltyard.types.records import ActualRecord, LogRecord, PredictionRecord

AT = datetime(2024, 2, 1, tzinfo=UTC)
HOURS = 3_000
HISTORY = 5_000


@pytest.fixture
def champion(control: Control, tmp_path: Path) -> Control:
    """A control whose model bikes has a long history and version 1 as champion."""
    digest = write_bikes(control, bikes_frame(HISTORY))
    folder = version_folder(tmp_path / "v1", history=digest)
    made = pa.record_batch({"value": pa.array(10.0 * np.arange(HISTORY) + 1)})
    control.client("scientist").add_version("bikes", tar_of(folder), (made.schema, [made]))
    deploy(control, 1)
    control.client("promoter").promote("bikes", 1, None, "first")
    return control


@pytest.fixture
def live(champion: Control) -> Control:
    """The same with 3,000 live hours; every fifth actual is not known yet."""
    log_rows(champion, live_values())
    summarise(champion)
    return champion


def live_values() -> list[tuple[float, float | None]]:
    """Return predictions and actuals of the live hours."""
    rng = np.random.default_rng(3)
    made = rng.normal(100, 20, HOURS)
    truth = made + rng.normal(1, 5, HOURS)
    pairs = zip(made.tolist(), truth.tolist(), strict=True)
    return [(p, None if i % 5 == 4 else a) for i, (p, a) in enumerate(pairs)]


def line(series: Series, name: str) -> Line:
    """Return a line by name."""
    return next(one for one in series.lines if one.name == name)


def test_few_live_rows_are_drawn_as_they_are(champion: Control) -> None:
    """Predicted and actual of each row; nothing waits for the summariser."""
    log_rows(champion, [(10.0, 11.0), (20.0, None)])
    found = champion.client("viewer").series("bikes", "bikers")
    assert (found.resolution, found.axis, found.rows) == (Resolution.ROW, Axis.TIME, 2)
    first = microseconds(AT)
    assert found.at == (first, first + 3_600_000_000)
    assert line(found, "predicted").value == (10.0, 20.0)
    assert line(found, "actual").value == (11.0, None)


def test_many_live_rows_come_by_bucket(live: Control) -> None:
    """Means, least and greatest of each day are those that pandas finds."""
    found = live.client("viewer").series("bikes", "bikers", points=2000)
    assert (found.resolution, found.rows) == (Resolution.DAY, HOURS)
    rows = pd.DataFrame(live_values(), columns=["predicted", "actual"], dtype=float)
    days = rows.groupby(np.arange(HOURS) // 24)["predicted"]
    predicted = line(found, "predicted")
    np.testing.assert_allclose(np.array(predicted.value, float), days.mean())
    assert predicted.low == tuple(days.min())
    assert predicted.high == tuple(days.max())
    actual = rows.groupby(np.arange(HOURS) // 24)["actual"].mean()
    np.testing.assert_allclose(np.array(line(found, "actual").value, float), actual)


def test_a_window_gets_finer_buckets(live: Control) -> None:
    """Thirty hours are hours; ten minutes' points do not fit."""
    found = live.client().series(
        "bikes", "temperature", start=AT, end=AT + timedelta(hours=30), points=100
    )
    assert (found.resolution, len(found.at), found.rows) == (Resolution.HOUR, 30, 30)
    assert line(found, "temperature").value == tuple(float(i) for i in range(30))


def test_levels_are_drawn_as_shares(live: Control) -> None:
    """Of a category's levels, live and in history."""
    found = live.client().series("bikes", "weather")
    assert [one.name for one in found.lines] == ["sun"]
    assert set(line(found, "sun").value) == {1.0}
    history = live.client().series("bikes", "weather", source="history")
    assert {one.name for one in history.lines} == {"rain", "sun"}
    shares = np.array([one.value for one in history.lines], float)
    np.testing.assert_allclose(shares.sum(axis=0), 1)
    assert history.rows == HISTORY


def test_a_long_history_comes_by_bucket(live: Control) -> None:
    """Means, least and greatest of each day, as of live data; all rows if they fit."""
    found = live.client().series("bikes", "bikers", source="history", points=500)
    assert (found.resolution, found.rows) == (Resolution.DAY, HISTORY)
    days = (10.0 * pd.Series(range(HISTORY))).groupby(np.arange(HISTORY) // 24)
    actual = line(found, "actual")
    np.testing.assert_allclose(np.array(actual.value, float), days.mean())
    assert (actual.low, actual.high) == (tuple(days.min()), tuple(days.max()))
    np.testing.assert_allclose(
        np.array(line(found, "predicted").value, float), np.array(actual.value, float) + 1
    )
    whole = live.client().series("bikes", "bikers", source="history", points=10_000)
    assert (whole.resolution, len(whole.at)) == (Resolution.ROW, HISTORY)
    assert whole.at[1] - whole.at[0] == 3_600_000_000


def test_a_history_without_times_is_sampled_with_its_pair(control: Control) -> None:
    """The same rows are chosen of both lines, so that they stay aligned."""
    rows = 2_000
    noise = np.random.default_rng(6).normal(size=rows)
    frame = pd.DataFrame({"x": noise, "y": noise * 2})
    schema, batches = to_batches(frame)
    snapshot = control.client("scientist").put_history(
        "plain", schema, batches, task="regression", target="y"
    )
    signature = {
        "inputs": [{"name": "x", "type": "float64"}],
        "output": {"name": "y", "type": "float64"},
    }
    with tempfile.TemporaryDirectory() as folder:
        path = version_folder(
            Path(folder) / "v",
            model="plain",
            history=snapshot.digest,
            signature=signature,
            histograms={},
        )
        made = pa.record_batch({"value": pa.array(noise * 2 + 1)})
        control.client("scientist").add_version("plain", tar_of(path), (made.schema, [made]))
    found = control.client().series("plain", "y", version=1, source="history", points=300)
    assert (found.resolution, found.axis) == (Resolution.SAMPLED, Axis.ROW)
    assert (found.rows, len(found.at)) == (rows, 300)
    actual = np.array(line(found, "actual").value, float)
    np.testing.assert_array_equal(actual, noise[list(found.at)] * 2)
    np.testing.assert_allclose(np.array(line(found, "predicted").value, float), actual + 1)
    assert {noise.min() * 2, noise.max() * 2} <= set(actual)


def test_missing_values_are_gaps(live: Control) -> None:
    """Row 1 of the history has no temperature."""
    found = live.client().series("bikes", "temperature", source="history", points=10_000)
    assert line(found, "temperature").value[:3] == (0.0, None, 1.0)


def test_metrics_from_summaries_are_those_of_the_rows(live: Control) -> None:
    """In a window that begins and ends within days; equal to scikit-learn's."""
    start, end = AT + timedelta(hours=5), AT + timedelta(days=60, hours=7)
    client = live.client("viewer")
    found = client.metrics("bikes", basis="summaries", start=start, end=end)
    pairs = [(p, a) for p, a in live_values()[5 : 60 * 24 + 7] if a is not None]
    made, truth = map(np.array, zip(*pairs, strict=True))
    assert found["rows"] == len(pairs)
    assert found["metrics"]["mae"] == pytest.approx(sk.mean_absolute_error(truth, made))
    assert found["metrics"]["r2"] == pytest.approx(sk.r2_score(truth, made))
    exact = client.metrics("bikes", start=start, end=end)["metrics"]
    assert found["metrics"] == pytest.approx(exact)
    assert found["approximate"] == {}


def test_roc_auc_from_summaries_says_how_far_it_is_off(control: Control, tmp_path: Path) -> None:
    """The exact one lies within the bound that is told."""
    make_classifier(control, tmp_path)
    chances, truth = log_classes(control, 2_000)
    summarise(control, "gate")
    found = control.client().metrics("gate", basis="summaries")
    bound = found["approximate"]["roc_auc"]
    assert 0 < bound < 0.05
    exact = sk.roc_auc_score(truth, chances)
    assert abs(found["metrics"]["roc_auc"] - exact) <= bound
    assert found["metrics"]["log_loss"] == pytest.approx(sk.log_loss(truth, chances))
    series = control.client().series("gate", "open", points=100)
    day = np.array(truth[:24]).mean()
    assert line(series, "actual true").value[0] == pytest.approx(day)
    assert line(series, "predicted true").value[0] is not None


def test_the_overview_says_where_a_model_stands(live: Control, tmp_path: Path) -> None:
    """Champion first, then the newest; how many rows each is behind; the last change."""
    folder = version_folder(tmp_path / "v2", parameters={"n": 2})
    live.client("scientist").add_version("bikes", tar_of(folder))
    live.client("scientist").deploy("bikes", 2)
    log_rows(live, [(1.0, None), (2.0, None)], first=100_000)
    found = live.client("viewer").overview("bikes")
    assert [(s.version, s.champion) for s in found.standings] == [(1, True), (2, False)]
    assert found.standings[1].behind == 2
    assert found.counts["predictions"] == HOURS + 2
    assert (found.oldest, found.newest) == (AT, AT + timedelta(hours=HOURS - 1))
    assert found.last_change is not None
    assert found.last_change.reason == "first"
    assert [v.version for v in found.versions] == [1, 2]


def test_without_live_data_a_series_is_empty(champion: Control) -> None:
    """It is no error, and neither is an empty window."""
    found = champion.client().series("bikes", "temperature")
    assert (found.rows, found.at, found.lines) == (0, (), ())
    log_rows(champion, [(1.0, 1.0)])
    later = champion.client().series("bikes", "bikers", start=AT + timedelta(days=9))
    assert later.rows == 0
    report = champion.client().metrics("bikes", basis="summaries", start=AT + timedelta(days=9))
    assert (report["rows"], report["metrics"]["mae"]) == (0, None)


def test_bad_questions_are_answered_by_what_is_wrong(champion: Control, tmp_path: Path) -> None:
    """Each names what there is, or what to leave out."""
    client = champion.client()
    with pytest.raises(NotFoundError, match=r"no variable 'wind'.*Known: bikers, .*temperature"):
        client.series("bikes", "wind")
    with pytest.raises(NotFoundError, match="version"):
        client.series("bikes", "bikers", version=7)
    with pytest.raises(InvalidInputError, match="points"):
        client.series("bikes", "bikers", points=1)
    with pytest.raises(InvalidInputError, match="ends before"):
        client.series("bikes", "bikers", start=AT, end=AT - timedelta(days=1))
    with pytest.raises(InvalidInputError, match="has no window"):
        client.series("bikes", "bikers", source="history", start=AT)
    with pytest.raises(InvalidInputError, match="basis=rows"):
        client.metrics("bikes", basis="summaries", known_by=AT)
    naive = champion.call("GET", "/models/bikes/series?variable=bikers&start=2024-02-01T00:00:00")
    assert naive.status_code == 422
    bare = version_folder(tmp_path / "bare", parameters={"bare": True})
    champion.client("scientist").add_version("bikes", tar_of(bare))
    with pytest.raises(NotFoundError, match="bikes version 2"):
        client.series("bikes", "bikers", version=2, source="history")


def test_a_model_without_a_champion_names_no_version(control: Control, bikes: str) -> None:
    """Its overview is there, its series needs a version."""
    assert control.client().overview(bikes).standings == ()
    with pytest.raises(ConflictError, match="name a version"):
        control.client().series(bikes, "bikers")


def make_classifier(control: Control, folder: Path) -> None:
    """Make the model gate, a classification without event time, with version 1 as champion."""
    frame = pd.DataFrame({"load": [0.0, 1.0, 2.0], "open": [False, True, True]})
    schema, batches = to_batches(frame)
    control.client("scientist").put_history(
        "gate", schema, batches, task="classification", target="open"
    )
    signature: dict[str, Any] = {
        "inputs": [{"name": "load", "type": "float64"}],
        "output": {
            "name": "open",
            "type": "bool",
            "classes": [False, True],
            "probabilities": True,
        },
    }
    path = version_folder(
        folder / "gate", model="gate", task="classification", signature=signature, histograms={}
    )
    control.client("scientist").add_version("gate", tar_of(path))
    deployment = control.client("scientist").deploy("gate", 1)
    control.client().set_deployment(deployment.id, "healthy")
    control.client("promoter").promote("gate", 1, None, "first")


def log_classes(control: Control, rows: int) -> tuple[list[float], list[bool]]:
    """Log predictions of gate, an hour apart; return the chances of true and what was true."""
    rng = np.random.default_rng(4)
    chances = rng.uniform(0.01, 0.99, rows)
    truth = rng.uniform(size=rows) < chances
    records: list[LogRecord] = []
    for i, (chance, is_open) in enumerate(zip(chances.tolist(), truth.tolist(), strict=True)):
        at = microseconds(AT) + i * 3_600_000_000
        seq = 2 * i + 1
        made = [1 - chance, chance]
        value = chance > 0.5
        records += [
            PredictionRecord(1, seq, "gate", seq, at, at, 1, {"load": chance}, value, made),
            ActualRecord(1, seq + 1, "gate", seq + 1, at, 1, seq, is_open, at),
        ]
    store = control.parts.store
    lease = store.acquire(relay_task(1), "test", 60)
    assert lease is not None
    store.append(lease, 1, records)
    store.release(lease)
    return chances.tolist(), truth.tolist()
