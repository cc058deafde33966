"""Tasks under leases of a real store: sharing, handing over, failing."""

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.worker import take, wait_for
from tiltyard.errors import StaleLeaseError, UnavailableError
from tiltyard.stores import open_store
from tiltyard.stores.base import Lease, Store
from tiltyard.worker.jobs import Job, Pace, TaskThread

PACE = Pace(poll=0.01, lease=0.3, first_back_off=0.01)


class Diary(Job):
    """A task that notes its turns, and fails when it is told to."""

    def __init__(self, task: str = "diary") -> None:
        self.task = task
        self.status = {}
        self.turns: list[Lease] = []
        self.failures: list[Exception] = []
        self.closed = False

    def turn(self, lease: Lease) -> bool:
        """Note it, or raise the next failure."""
        if self.failures:
            raise self.failures.pop(0)
        self.turns.append(lease)
        return False

    def close(self) -> None:
        """Note it."""
        self.closed = True


@pytest.fixture
def threads() -> Iterator[list[TaskThread]]:
    """Give a list whose threads are ended afterwards."""
    started: list[TaskThread] = []
    yield started
    for thread in started:
        thread.end()
        thread.join(5)
        assert not thread.is_alive()


def begin(threads: list[TaskThread], job: Job, store: Store, holder: str) -> TaskThread:
    """Start a thread that is ended with the test."""
    thread = TaskThread(job, store, holder, PACE)
    threads.append(thread)
    thread.start()
    return thread


def test_one_of_two_workers_does_a_task(store: Store, threads: list[TaskThread]) -> None:
    """While the first renews its lease, well beyond its length, the second has no turn."""
    first, second = Diary(), Diary()
    begin(threads, first, store, "a")
    wait_for(lambda: bool(first.turns))
    begin(threads, second, store, "b")
    time.sleep(3 * PACE.lease)
    assert second.turns == []
    assert {lease.fence for lease in first.turns} == {first.turns[0].fence}


def test_a_task_is_handed_over_when_its_worker_ends(
    store: Store, threads: list[TaskThread]
) -> None:
    """A worker that ends gives the lease back and closes the job; the next fence is higher."""
    first, second = Diary(), Diary()
    begin(threads, first, store, "a")
    wait_for(lambda: bool(first.turns))
    begin(threads, second, store, "b")
    threads[0].end()
    wait_for(lambda: bool(second.turns))
    assert first.closed
    assert second.turns[0].fence > first.turns[0].fence


def test_a_dead_workers_task_is_taken_over(store: Store, threads: list[TaskThread]) -> None:
    """A lease that nobody renews runs out, and another holder works under a higher fence."""
    dead = take(store, "diary", "dead", seconds=PACE.lease)
    job = Diary()
    begin(threads, job, store, "b")
    wait_for(lambda: bool(job.turns))
    assert job.turns[0].fence > dead.fence


def test_a_failing_task_is_told_and_tried_again(
    store: Store, threads: list[TaskThread], caplog: pytest.LogCaptureFixture
) -> None:
    """A bug ends no task silently: it is logged with its traceback, and the next turn comes."""
    job = Diary()
    job.failures = [UnavailableError("the store rests"), ZeroDivisionError("a bug")]
    with caplog.at_level(logging.WARNING):
        begin(threads, job, store, "a")
        wait_for(lambda: bool(job.turns))
    expected, bug = (record for record in caplog.records if "trying again" in record.message)
    assert "the store rests" in expected.message
    assert not expected.exc_info
    assert bug.exc_info


def test_a_lost_lease_is_taken_again(store: Store, threads: list[TaskThread]) -> None:
    """After a stale write the lease is asked for anew, as after a cursor was placed by control."""
    job = Diary("follow:yard:1")
    begin(threads, job, store, "a")
    wait_for(lambda: bool(job.turns))
    store.set_cursor("yard", 1, {})
    job.failures = [StaleLeaseError("follow:yard:1", "a")]
    before = len(job.turns)
    wait_for(lambda: len(job.turns) > before)
    assert job.turns[-1].fence > job.turns[0].fence


def test_a_store_that_is_away_stops_nothing(
    store: Store, threads: list[TaskThread], tmp_path: Path
) -> None:
    """A task whose lease cannot be asked for waits with back-off and goes on."""
    other = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    job = Diary()
    thread = begin(threads, job, other, "a")
    wait_for(lambda: bool(job.turns))
    other.close()
    wait_for(lambda: not thread.leased)
    assert thread.is_alive()
    assert threading.active_count() > 1
