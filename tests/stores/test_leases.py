"""Leases: one holder, expiry, a fence that grows, stale writers lose."""

import time
from collections.abc import Callable

import pytest

from support.stores import MODEL, prediction, take
from tiltyard.errors import InvalidInputError, StaleLeaseError
from tiltyard.stores.base import DirtyChunk, Store
from tiltyard.types.records import Score

TASK = "relay:1"


def test_a_lease_is_exclusive(store: Store) -> None:
    """While one holds it another gets none; other tasks are free."""
    assert store.acquire(TASK, "one", 60) is not None
    assert store.acquire(TASK, "two", 60) is None
    assert store.acquire("relay:2", "two", 60) is not None


def test_renewing_keeps_the_fence(store: Store) -> None:
    """The holder's writes stay valid over a renewal."""
    first = take(store, TASK)
    assert take(store, TASK) == first


def test_a_lease_that_was_given_back_is_free(store: Store) -> None:
    """The next holder has a higher fence."""
    first = take(store, TASK, "one")
    store.release(first)
    second = take(store, TASK, "two")
    assert second.fence > first.fence


def test_a_lease_runs_out(store: Store) -> None:
    """Then another may have it, or the same one anew: always under a higher fence."""
    first = store.acquire(TASK, "one", 0.05)
    time.sleep(0.1)
    second = store.acquire(TASK, "one", 0.05)
    time.sleep(0.1)
    third = store.acquire(TASK, "two", 60)
    assert first and second and third  # noqa: PT018  one behaviour
    assert first.fence < second.fence < third.fence


def test_a_stale_release_changes_nothing(store: Store) -> None:
    """Who lost a lease cannot free it for a third."""
    first = take(store, TASK, "one")
    store.release(first)
    take(store, TASK, "two")
    store.release(first)
    assert store.acquire(TASK, "three", 60) is None


def test_every_write_of_a_stale_holder_loses(store: Store) -> None:
    """Each task's writes raise and leave nothing."""
    relay, follow, summarise = (
        take(store, task, "one") for task in (TASK, f"follow:{MODEL}:2", f"summarise:{MODEL}")
    )
    chunk = DirtyChunk(1, 0, 1)
    writes: list[Callable[[], object]] = [
        lambda: store.append(relay, 1, [prediction(0)]),
        lambda: store.write_scores(follow, MODEL, 2, [Score(1, 0, 1.0)], {1: 0}),
        lambda: store.write_summaries(summarise, MODEL, chunk, []),
        lambda: store.write_rollups(summarise, MODEL, 0, "hour", [(0, b"x")]),
        lambda: store.clear_dirty(summarise, MODEL, chunk),
    ]
    for lease in (relay, follow, summarise):
        store.release(lease)
        take(store, lease.task, "two")
    for write in writes:
        with pytest.raises(StaleLeaseError, match="'one'"):
            write()
    assert store.watermarks() == {}
    assert store.cursor(MODEL, 2) is None
    assert store.rollups(MODEL, 0, "hour", 0, 1) == []


def test_a_write_needs_its_own_task(store: Store) -> None:
    """The lease of another gateway does not do."""
    with pytest.raises(InvalidInputError, match="relay:1"):
        store.append(take(store, "relay:2"), 1, [prediction(0)])
