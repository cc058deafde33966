"""Summaries of a real store equal what independent code makes of its raw rows."""

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from support.raw import read
from support.recompute import Edges, check_summaries
from support.worker import FIRST_SEQ, START, put_log, take
from tiltyard.errors import StaleLeaseError, UnavailableError
from tiltyard.stores.base import DirtyChunk, Lease, Store, follow_task, relay_task, summarise_task
from tiltyard.types.records import ActualRecord, LogRecord, PredictionRecord, Score
from tiltyard.types.registry import VersionManifest
from tiltyard.types.routes import ModelRoute
from tiltyard.types.schema import CallSchema, Column, ColumnType, Output, Signature, Task
from tiltyard.worker import summariser
from tiltyard.worker.summariser import Summariser

X, PART = (
    Column(name="x", type=ColumnType.FLOAT64, nullable=True),
    Column(name="part", type=ColumnType.CATEGORY, levels=("day", "night")),
)
HISTOGRAMS = {"x": (-1.0, 0.0, 0.5, 1.0), "speed": (0.0, 10.0, 20.0)}
LATER_HISTOGRAMS = {"x": (-2.0, 2.0), "speed": (5.0, 15.0)}
EDGES = Edges({"x": HISTOGRAMS["x"]}, {1: HISTOGRAMS["speed"], 2: LATER_HISTOGRAMS["speed"]})
CLASSES = ("fail", "pass")
ROWS = 2_300


def manifest(output: Output, histograms: Mapping[str, tuple[float, ...]]) -> VersionManifest:
    """Return a version's manifest as far as summaries need it."""
    return VersionManifest(
        model="yard",
        task=Task.REGRESSION,
        language="python",
        engine="sklearn",
        signature=Signature(inputs=(X, PART), output=output),
        histograms=dict(histograms),
        files={},
        created_at=datetime(2024, 1, 1, tzinfo=UTC),
    )


def versions() -> dict[int, VersionManifest]:
    """Return two versions of a regression, trained on different data."""
    speed = Output(name="speed", type=ColumnType.FLOAT64)
    return {1: manifest(speed, HISTOGRAMS), 2: manifest(speed, LATER_HISTOGRAMS)}


def classifiers() -> dict[int, VersionManifest]:
    """Return two versions of a classification."""
    grade = Output(name="grade", type=ColumnType.STRING, classes=CLASSES, probabilities=True)
    return {1: manifest(grade, HISTOGRAMS), 2: manifest(grade, HISTOGRAMS)}


def route(task: Task) -> ModelRoute:
    """Return the model's route."""
    kind = ColumnType.FLOAT64 if task is Task.REGRESSION else ColumnType.STRING
    schema = CallSchema(columns=(X, PART), target="target", target_type=kind)
    return ModelRoute(name="yard", number=1, task=task, call_schema=schema)


class Data:
    """Random rows, answers of two versions in turn, actuals of some, scores of the others."""

    def __init__(self, task: Task, seed: int) -> None:
        self.task = task
        self.rng = random.Random(seed)
        self.predictions = [self._prediction(seq) for seq in range(ROWS)]
        self.actuals = [self._actual(i) for i in self.rng.sample(range(ROWS), ROWS // 2)]
        self.scores = {v: [self._score(p, v) for p in self._others(v)] for v in (1, 2)}

    def _others(self, version: int) -> list[PredictionRecord]:
        return [p for p in self.predictions if p.version != version]

    def _value(self) -> dict[str, Any]:
        if self.task is Task.REGRESSION:
            return {"value": self.rng.gauss(10, 6)}
        chance = self.rng.random()
        return {"value": CLASSES[chance > 0.5], "probabilities": [1 - chance, chance]}

    def _prediction(self, seq: int) -> PredictionRecord:
        x = None if self.rng.random() < 0.1 else self.rng.gauss(0, 1)
        minutes = 60_000_000 * self.rng.randrange(0, 3_000)
        return PredictionRecord(
            gateway=1,
            seq=FIRST_SEQ + seq,
            model="yard",
            model_seq=FIRST_SEQ + seq,
            received_at=START + seq * 1_000_000,
            event_time=None if seq % 3 else START + minutes,
            version=1 if seq // 500 % 2 else 2,
            row={"x": x, "part": self.rng.choice(["day", "night", "dusk"])},
            **self._value(),
        )

    def _actual(self, index: int) -> ActualRecord:
        seq = FIRST_SEQ + ROWS + len(self.predictions) + index
        return ActualRecord(
            gateway=1,
            seq=seq,
            model="yard",
            model_seq=seq,
            received_at=START + seq % FIRST_SEQ,
            of_gateway=1,
            of_seq=FIRST_SEQ + index,
            value=self._value()["value"],
            known_at=START + self.rng.randrange(1_000_000),
        )

    def _score(self, record: PredictionRecord, version: int) -> Score:
        if self.rng.random() < 0.05:
            return Score(1, record.seq, None, refusal="null: x")
        return Score(1, record.seq, **self._value())

    def put_predictions(self, store: Store) -> None:
        """Bring the predictions into the log."""
        put_log(store, self.predictions)

    def put_actuals(self, store: Store, share: slice = slice(None)) -> None:
        """Bring actuals into the log, some twice."""
        records: list[LogRecord] = [*self.actuals[share]]
        put_log(store, records + records[:10])

    def put_scores(self, store: Store, version: int) -> None:
        """Bring a follower's scores."""
        lease = take(store, follow_task("yard", version))
        mark = store.watermarks()
        store.write_scores(lease, "yard", version, self.scores[version], mark)


def make(store: Store, task: Task = Task.REGRESSION) -> Summariser:
    """Return a summariser that never rests."""
    known = versions() if task is Task.REGRESSION else classifiers()
    return Summariser("yard", lambda: route(task), lambda: known, store)


def work(store: Store, job: Summariser, lease: Lease | None = None) -> None:
    """Summarise until no chunk is dirty."""
    lease = lease or take(store, summarise_task("yard"))
    while store.dirty_chunks("yard", 1):
        job.turn(lease)
    store.release(lease)


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summariser, "LEAST_REST_S", 0.0)
    monkeypatch.setattr(summariser, "REST", 0.0)


@pytest.mark.parametrize("task", list(Task))
def test_summaries_equal_the_raw_rows(store: Store, tmp_path: Path, task: Task) -> None:
    """Minutes, hours and days of inputs, answers and scores; late ones recompute their chunk."""
    data, job = Data(task, seed=1), make(store, task)
    classes = () if task is Task.REGRESSION else CLASSES
    data.put_predictions(store)
    work(store, job)
    assert check_summaries(read(tmp_path / "store.db", "yard"), EDGES, classes) > 1000
    data.put_actuals(store)
    data.put_scores(store, 1)
    work(store, job)
    data.put_scores(store, 2)
    work(store, job)
    raw = read(tmp_path / "store.db", "yard")
    assert check_summaries(raw, EDGES, classes) > 2000
    assert len(raw.scores) == ROWS


def test_the_check_sees_a_wrong_summary(store: Store, tmp_path: Path) -> None:
    """An actual that was not summarised yet is found by the comparison: it can fail."""
    data = Data(Task.REGRESSION, seed=2)
    data.put_predictions(store)
    data.put_actuals(store, slice(0, 900))
    work(store, make(store))
    data.put_actuals(store, slice(900, 901))
    with pytest.raises(AssertionError):
        check_summaries(read(tmp_path / "store.db", "yard"), EDGES)


@pytest.mark.parametrize("broken", ["write_summaries", "write_rollups", "clear_dirty"])
def test_a_crash_at_any_write_is_made_good(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """Whatever write fails, at any call, the chunk stays dirty and the next round is whole."""
    data, job = Data(Task.REGRESSION, seed=3), make(store)
    data.put_predictions(store)
    data.put_actuals(store)
    data.put_scores(store, 1)
    lease = take(store, summarise_task("yard"))
    real, calls = getattr(store, broken), iter(range(1_000))

    def fragile(*arguments: Any) -> None:
        if next(calls) % 3 == 1:
            raise UnavailableError("the disk rests")
        real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(store, broken, fragile)
        with pytest.raises(UnavailableError):
            job.turn(lease)
    assert store.dirty_chunks("yard", 1)
    work(store, job, lease)
    check_summaries(read(tmp_path / "store.db", "yard"), EDGES)


def test_a_change_while_summarising_is_not_lost(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An actual that comes between reading a chunk and clearing its mark keeps it dirty."""
    data, job = Data(Task.REGRESSION, seed=4), make(store)
    data.put_predictions(store)
    real = store.clear_dirty

    def interrupted(lease: Lease, model: str, dirty: DirtyChunk) -> None:
        monkeypatch.setattr(store, "clear_dirty", real)
        data.put_actuals(store)
        real(lease, model, dirty)

    monkeypatch.setattr(store, "clear_dirty", interrupted)
    work(store, job)
    check_summaries(read(tmp_path / "store.db", "yard"), EDGES)


def test_an_overtaken_summariser_writes_nothing(store: Store, tmp_path: Path) -> None:
    """A summariser whose lease went to another loses; the other's work stands."""
    data = Data(Task.REGRESSION, seed=5)
    data.put_predictions(store)
    old = take(store, summarise_task("yard"), "old", seconds=0.01)
    sleep(0.02)
    new = take(store, summarise_task("yard"), "new")
    with pytest.raises(StaleLeaseError):
        make(store).turn(old)
    assert read(tmp_path / "store.db", "yard").minutes == []
    work(store, make(store), new)
    check_summaries(read(tmp_path / "store.db", "yard"), EDGES)


def test_a_turn_is_bounded_and_rests(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn takes a few chunks and says that there are more; after a round it rests."""
    monkeypatch.setattr(summariser, "LEAST_REST_S", 60.0)
    rows = [row for seed in range(2) for row in _chunks(seed * 3, 3)]
    lease = take(store, relay_task(1))
    store.append(lease, 1, rows)
    job, lease = make(store), take(store, summarise_task("yard"))
    assert job.turn(lease)
    assert not job.turn(lease)
    assert store.dirty_chunks("yard", 10) == []
    store.append(take(store, relay_task(1)), 1, _chunks(6, 1))
    job.turn(lease)
    assert len(store.dirty_chunks("yard", 10)) == 1


def _chunks(first: int, count: int) -> list[LogRecord]:
    """Return one record in each of several chunks."""
    data = Data(Task.REGRESSION, seed=6).predictions[0]
    changes = [FIRST_SEQ + 1000 * (first + i) for i in range(count)]
    return [
        PredictionRecord(
            1, seq, "yard", seq, START, None, 1, data.row, data.value, data.probabilities
        )
        for seq in changes
    ]
