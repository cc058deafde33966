"""Followers with real scorers, on a real store; checked against scikit-learn itself."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import pytest

from support.raw import Raw, read
from support.worker import FIRST_SEQ, prediction, put_log, take, wait_for
from support.yard import MODEL, ScorerProcess, Versions, history, route_of
from tiltyard.errors import StaleLeaseError, UnavailableError
from tiltyard.stores import open_store
from tiltyard.stores.base import Lease, Store, follow_task
from tiltyard.worker.follower import Follower
from tiltyard.worker.jobs import Job, Pace, TaskThread

pytestmark = pytest.mark.slow

Start = Callable[[int], ScorerProcess]

made: list[Follower] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Close the followers that a test made."""
    yield
    while made:
        made.pop().close()


@pytest.fixture(scope="module")
def shared(versions: Versions, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start a scorer that the tests of this file share and do not harm."""
    folder, started = tmp_path_factory.mktemp("s"), dict[int, ScorerProcess]()

    def start(version: int) -> ScorerProcess:
        if version not in started:
            scorer = ScorerProcess(versions.folder(version), folder / f"{version}.sock", version)
            started[version] = scorer
            scorer.start()
        return started[version]

    yield start
    for scorer in started.values():
        scorer.kill()


@pytest.fixture
def fragile(versions: Versions, tmp_path: Path) -> Iterator[ScorerProcess]:
    """Give a scorer of version 4 that is started again whenever it dies."""
    scorer = ScorerProcess(versions.folder(4), tmp_path / "4.sock", 4)
    scorer.start()
    ending = threading.Event()

    def tend() -> None:
        while not ending.wait(0.05):
            if not scorer.alive():
                scorer.start()

    thread = threading.Thread(target=tend)
    thread.start()
    yield scorer
    ending.set()
    thread.join()
    scorer.kill()


def rows(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Return random rows as applications send them; y is null in some, part is 'fog' in some."""
    rng = random.Random(seed)
    return [
        {
            "x": rng.uniform(-3, 3),
            "y": None if rng.random() < 0.1 else rng.gauss(0, 1),
            "part": rng.choice(["dawn", "noon", "dusk", "night", "fog"]),
        }
        for _ in range(count)
    ]


def log(store: Store, sent: list[dict[str, Any]], first: int = 0, version: int = 1) -> None:
    """Log rows as if a version had answered them."""
    put_log(store, [prediction(first + i, version=version, row=r) for i, r in enumerate(sent)])


def follower(store: Store, versions: Versions, scorer: ScorerProcess, batch: int = 300) -> Follower:
    """Return the follower of a scorer's version."""
    route = route_of(versions.manifest(scorer.version), scorer.version, scorer.socket)
    made.append(Follower(MODEL, route, store, batch=batch, timeout=10.0))
    return made[-1]


def lease_of(store: Store, version: int, holder: str = "test") -> Lease:
    """Take the follower's lease."""
    return take(store, follow_task(MODEL, version), holder)


def follow(store: Store, job: Follower, version: int) -> None:
    """Let it score everything from its cursor on."""
    lease = lease_of(store, version)
    while job.turn(lease):
        pass
    store.release(lease)


def predicted(versions: Versions, version: int, sent: list[dict[str, Any]]) -> list[float]:
    """Return what the version's estimator itself makes of rows that it can take."""
    estimator = joblib.load(versions.folder(version) / "model.joblib")
    frame = pd.DataFrame(sent)
    frame["part"] = pd.Categorical(frame["part"])
    values: list[float] = estimator.predict(frame).tolist()
    return values


def scores_of(raw: Raw, version: int) -> dict[int, dict[str, Any]]:
    """Return a version's scores by position in the log."""
    return {seq - FIRST_SEQ: s for (v, _, seq), s in raw.scores.items() if v == version}


def test_a_challenger_scores_every_row_as_its_estimator_does(
    store: Store, tmp_path: Path, versions: Versions, shared: Start
) -> None:
    """From the log's beginning on: one score for each row, equal to the bit."""
    sent = rows(1_000)
    store.set_cursor(MODEL, 1, {})
    log(store, sent, version=2)
    job = follower(store, versions, shared(1))
    follow(store, job, 1)
    scores = scores_of(read(tmp_path / "store.db", MODEL), 1)
    assert [scores[i]["value"] for i in range(1_000)] == predicted(versions, 1, sent)
    assert store.cursor(MODEL, 1) == store.watermarks()
    assert job.status == {"scored": 1_000, "refused": 0}


def test_a_new_follower_begins_at_the_watermark(
    store: Store, tmp_path: Path, versions: Versions, shared: Start
) -> None:
    """Rows from before it began are not scored, later ones are."""
    log(store, rows(20), version=2)
    job, lease = follower(store, versions, shared(1)), lease_of(store, 1)
    assert not job.turn(lease)
    log(store, rows(5, seed=2), first=20, version=2)
    job.turn(lease)
    assert sorted(scores_of(read(tmp_path / "store.db", MODEL), 1)) == list(range(20, 25))


def test_a_new_gateways_log_is_scored_from_its_beginning(
    store: Store, versions: Versions, shared: Start
) -> None:
    """A follower that began when there was no gateway misses nothing of the first one."""
    job, lease = follower(store, versions, shared(1)), lease_of(store, 1)
    job.turn(lease)
    assert store.cursor(MODEL, 1) == {}
    log(store, rows(5), version=2)
    job.turn(lease)
    assert job.status["scored"] == 5


def test_own_answers_are_skipped_over_promotions_and_demotions(
    store: Store, tmp_path: Path, versions: Versions, shared: Start
) -> None:
    """Champion, demoted, champion again: each version scores exactly what the other answered."""
    store.set_cursor(MODEL, 1, {})
    store.set_cursor(MODEL, 3, {})
    jobs = {version: follower(store, versions, shared(version)) for version in (1, 3)}
    answered = {1: list[int](), 3: list[int]()}
    for turn, champion in enumerate([1, 3, 1, 3]):
        log(store, rows(50, seed=turn), first=50 * turn, version=champion)
        answered[champion] += range(50 * turn, 50 * (turn + 1))
        for version, job in jobs.items():
            follow(store, job, version)
    raw = read(tmp_path / "store.db", MODEL)
    assert sorted(scores_of(raw, 1)) == answered[3]
    assert sorted(scores_of(raw, 3)) == answered[1]


def test_rows_that_a_version_cannot_take_are_stored_refusals(
    store: Store, tmp_path: Path, versions: Versions, shared: Start
) -> None:
    """A null, an unknown level, a wrong type, a missing column: counted, the others scored."""
    store.set_cursor(MODEL, 2, {})
    store.set_cursor(MODEL, 3, {})
    sent: list[dict[str, Any]] = [
        {"x": 1.0, "y": 0.5, "part": "noon"},
        {"x": 1.0, "y": None, "part": "noon"},
        {"x": 1.0, "y": 0.5, "part": "night"},
        {"x": "1", "y": 0.5, "part": "noon"},
        {"y": 0.5, "part": "noon"},
        {"x": 2.0, "y": 0.5, "part": "dusk", "later": True},
    ]
    log(store, sent)
    for version in (2, 3):
        job = follower(store, versions, shared(version))
        follow(store, job, version)
    raw = read(tmp_path / "store.db", MODEL)
    reasons = [[scores_of(raw, v)[i]["refusal"] for i in range(6)] for v in (2, 3)]
    assert reasons[0] == [None, "null: y", None, "type: x", "null: x", None]
    assert reasons[1] == [None, None, "unknown level: part", "type: x", "null: x", None]
    assert job.status == {"scored": 3, "refused": 3}
    good = [row for row, reason in zip(sent, reasons[0], strict=True) if reason is None]
    values = [s["value"] for s in scores_of(raw, 2).values() if s["refusal"] is None]
    assert values == predicted(versions, 2, good)


def test_the_cursor_never_passes_the_watermark(
    store: Store, versions: Versions, shared: Start
) -> None:
    """In the middle of a long log the cursor stands at the last row that was scored."""
    store.set_cursor(MODEL, 1, {})
    log(store, rows(250), version=2)
    job, lease = follower(store, versions, shared(1), batch=100), lease_of(store, 1)
    seen = []
    for more in (True, True, False):
        assert job.turn(lease) is more
        seen.append((store.cursor(MODEL, 1) or {})[1] - FIRST_SEQ)
    assert seen == [99, 199, 249]
    assert store.watermarks() == {1: FIRST_SEQ + 249}


def test_replaying_gives_the_same_and_doubles_nothing(
    store: Store, tmp_path: Path, versions: Versions, shared: Start
) -> None:
    """A cursor set back scores the same rows again: equal, once, and earlier ones as well."""
    log(store, rows(100), version=2)
    job, lease = follower(store, versions, shared(1)), lease_of(store, 1)
    job.turn(lease)
    log(store, rows(100, seed=2), first=100, version=2)
    job.turn(lease)
    before = scores_of(read(tmp_path / "store.db", MODEL), 1)
    assert len(before) == 100
    store.set_cursor(MODEL, 1, {})
    with pytest.raises(StaleLeaseError):
        job.turn(lease)
    follow(store, job, 1)
    after = scores_of(read(tmp_path / "store.db", MODEL), 1)
    assert len(after) == 200
    assert {i: after[i] for i in before} == before
    assert [after[i]["value"] for i in range(100)] == predicted(versions, 1, rows(100))


def test_a_row_that_kills_the_scorer_is_found_and_refused(
    store: Store, tmp_path: Path, versions: Versions, fragile: ScorerProcess
) -> None:
    """One row in 300 ends the process: it costs a few restarts, the others are scored."""
    store.set_cursor(MODEL, 4, {})
    sent = rows(300)
    sent[123]["x"] = 666.0
    log(store, sent)
    job = follower(store, versions, fragile)
    thread = TaskThread(job, store, "test", Pace(poll=0.05, first_back_off=0.05))
    thread.start()
    wait_for(lambda: sum(job.status.values()) == 300, 120)
    thread.end()
    thread.join(10)
    scores = scores_of(read(tmp_path / "store.db", MODEL), 4)
    refused = {i: s["refusal"] for i, s in scores.items() if s["refusal"]}
    assert refused == {123: "scorer: it dies of this row"}
    assert len(scores) == 300
    assert fragile.starts <= 5


def test_a_row_of_which_the_scorer_complains_is_refused(
    store: Store, tmp_path: Path, versions: Versions, shared: Start
) -> None:
    """An exception in the estimator refuses the row that raises it, with its text."""
    store.set_cursor(MODEL, 4, {})
    sent = rows(30)
    sent[7]["x"] = sent[20]["x"] = 13.0
    log(store, sent)
    follow(store, follower(store, versions, shared(4)), 4)
    scores = scores_of(read(tmp_path / "store.db", MODEL), 4)
    refused = {i: s["refusal"] for i, s in scores.items() if s["refusal"]}
    assert list(refused) == [7, 20]
    assert "13 brings bad luck" in refused[7]


def test_a_scorer_that_is_away_is_waited_for(
    store: Store, versions: Versions, tmp_path: Path
) -> None:
    """While no scorer answers nothing is lost: the cursor stays, and a restart goes on."""
    store.set_cursor(MODEL, 1, {})
    log(store, rows(10), version=2)
    scorer = ScorerProcess(versions.folder(1), tmp_path / "1.sock", 1)
    job, lease = follower(store, versions, scorer), lease_of(store, 1)
    with pytest.raises(UnavailableError):
        job.turn(lease)
    assert store.cursor(MODEL, 1) == {}
    scorer.start()
    job.turn(lease)
    scorer.kill()
    log(store, rows(10), first=10, version=2)
    scorer.start()
    job.turn(lease)
    scorer.kill()
    assert job.status == {"scored": 20, "refused": 0}


def test_another_versions_scorer_is_not_used(
    store: Store, versions: Versions, shared: Start
) -> None:
    """A socket on which another version answers counts as away."""
    store.set_cursor(MODEL, 2, {})
    log(store, rows(3))
    route = route_of(versions.manifest(2), 2, shared(1).socket)
    job = Follower(MODEL, route, store, batch=10, timeout=5.0)
    made.append(job)
    with pytest.raises(UnavailableError, match="another version"):
        job.turn(lease_of(store, 2))


def test_replicas_stand_in_for_each_other(
    store: Store, versions: Versions, shared: Start, tmp_path: Path
) -> None:
    """With one of two replicas gone the follower goes on at once."""
    store.set_cursor(MODEL, 1, {})
    log(store, rows(10), version=2)
    route = route_of(versions.manifest(1), 1, tmp_path / "gone.sock", shared(1).socket)
    job = Follower(MODEL, route, store, batch=10, timeout=5.0)
    made.append(job)
    job.turn(lease_of(store, 1))
    assert job.status["scored"] == 10


def test_two_workers_share_a_follower_without_doubles(
    store: Store, tmp_path: Path, versions: Versions, shared: Start
) -> None:
    """Two workers that outsleep their leases: every row once, none missed, each did some."""
    store.set_cursor(MODEL, 1, {})
    other = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    hasty = Pace(poll=0.001, lease=0.02, first_back_off=0.001)
    jobs = [follower(s, versions, shared(1), batch=7) for s in (store, other)]
    pairs = zip(jobs, (store, other), "ab", strict=True)
    threads = [TaskThread(Sleepy(job), s, holder, hasty) for job, s, holder in pairs]
    sent = rows(1_500)
    log(store, sent[:750], version=2)
    for thread in threads:
        thread.start()
    log(store, sent[750:], first=750, version=2)
    wait_for(lambda: store.cursor(MODEL, 1) == store.watermarks(), 60)
    for thread in threads:
        thread.end()
        thread.join(10)
    other.close()
    scores = scores_of(read(tmp_path / "store.db", MODEL), 1)
    assert [scores[i]["value"] for i in range(1_500)] == predicted(versions, 1, sent)
    assert all(job.status["scored"] for job in jobs)


class Sleepy(Job):
    """Sleeps before every fifth turn until its lease has long passed to another."""

    def __init__(self, job: Job) -> None:
        self.task, self.status = job.task, job.status
        self._job = job
        self._turns = 0

    def turn(self, lease: Lease) -> bool:
        """Do the job's turn, perhaps too late."""
        self._turns += 1
        if self._turns % 5 == 0:
            time.sleep(0.1)
        return self._job.turn(lease)


def test_history_itself_scores_as_at_training(
    store: Store, tmp_path: Path, versions: Versions, shared: Start
) -> None:
    """Rows of the history, sent as calls, get the predictions of the estimator."""
    frame = history().drop(columns="speed").astype({"part": str})
    objects = frame.astype(object).where(frame.notna(), None)
    names = ("x", "y", "part")
    sent = [dict(zip(names, row, strict=True)) for row in objects.itertuples(index=False)]
    store.set_cursor(MODEL, 1, {})
    log(store, sent, version=2)
    follow(store, follower(store, versions, shared(1)), 1)
    scores = scores_of(read(tmp_path / "store.db", MODEL), 1)
    assert [scores[i]["value"] for i in range(len(sent))] == predicted(versions, 1, sent)
