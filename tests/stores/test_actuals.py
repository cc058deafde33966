"""Actuals: late, twice, out of order, corrected, of rows that nobody knows."""

from itertools import permutations

import pytest

from support.stores import MODEL, T0, actual, append, prediction, summariser
from tiltyard.stores.base import Store, Window

LATER = T0 + 10**9


def known(store: Store, known_by: int | None = None) -> list[object]:
    """Return the actual of each row that counts, in order of the rows."""
    found: list[object] = store.scored(MODEL, 1, Window(known_by=known_by))["actual"].to_pylist()
    return found


def counts(store: Store) -> tuple[int, int, int]:
    """Return predictions, with_actual, unknown_actuals."""
    found = store.counts(MODEL)
    return found["predictions"], found["with_actual"], found["unknown_actuals"]


def test_an_actual_joins_its_prediction(store: Store) -> None:
    """The others have none."""
    append(store, prediction(0), prediction(1), actual(2, 1, 42.0))
    assert known(store) == [None, 42.0]
    assert counts(store) == (2, 1, 0)


def test_the_last_known_one_counts(store: Store) -> None:
    """By when it was known, not by when it came."""
    append(store, prediction(0))
    append(store, actual(1, 0, 1.0, known_at=T0 + 300))
    append(store, actual(2, 0, 2.0, known_at=T0 + 100))
    assert known(store) == [1.0]
    append(store, actual(3, 0, 3.0, known_at=T0 + 400))
    assert known(store) == [3.0]
    assert counts(store) == (1, 1, 0)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_of_two_known_at_once_the_later_to_arrive_counts(
    store: Store, order: tuple[int, ...]
) -> None:
    """In whatever order the store gets them."""
    append(store, prediction(0))
    records = [actual(1 + i, 0, float(i), known_at=T0) for i in range(3)]
    for i in order:
        append(store, records[i])
    assert known(store) == [2.0]


def test_as_known_on_a_day(store: Store) -> None:
    """A correction does not change what was known before it."""
    append(store, prediction(0))
    append(store, actual(1, 0, 1.0, known_at=LATER), actual(2, 0, 2.0, known_at=LATER + 5))
    assert known(store, LATER - 1) == [None]
    assert known(store, LATER) == [1.0]
    assert known(store, LATER + 4) == [1.0]
    assert known(store, LATER + 5) == [2.0]
    assert store.scored(MODEL, 1, Window(known_by=LATER))["known_at"].to_pylist() == [LATER]


def test_unknown_ids_wait(store: Store) -> None:
    """They are counted, each id once, and join when the prediction comes after all."""
    append(store, actual(5, 0, 1.0), actual(6, 0, 2.0), actual(7, 3, 1.0))
    assert counts(store) == (0, 0, 2)
    append(store, prediction(0), prediction(1))
    assert counts(store) == (2, 1, 1)
    assert known(store) == [2.0, None]
    append(store, prediction(3))
    assert counts(store) == (3, 2, 0)


def test_an_actual_may_come_through_another_gateway(store: Store) -> None:
    """The id says which prediction it belongs to."""
    append(store, prediction(0))
    append(store, prediction(0, gateway=2, value=5.0))
    append(store, actual(9, 0, 7.0, gateway=3, of_gateway=2))
    table = store.scored(MODEL, 1, Window())
    assert dict(zip(table["gateway"].to_pylist(), known(store), strict=True)) == {1: None, 2: 7.0}


def test_an_id_of_another_model_waits(store: Store) -> None:
    """A key alone does not join rows of different models."""
    append(store, prediction(0), actual(1, 0, 1.0, model="other"))
    assert known(store) == [None]
    assert store.counts("other")["unknown_actuals"] == 1


def test_a_late_actual_marks_its_predictions_chunk(store: Store) -> None:
    """Not the chunk it comes in; a repeated one marks nothing."""
    append(store, *(prediction(seq) for seq in range(0, 2500, 500)))
    lease = summariser(store)
    for dirty in store.dirty_chunks(MODEL, 10):
        store.clear_dirty(lease, MODEL, dirty)
    late = actual(2600, 500, 1.0)
    append(store, late)
    (dirty,) = store.dirty_chunks(MODEL, 10)
    assert dirty.chunk == 0
    store.clear_dirty(lease, MODEL, dirty)
    append(store, late)
    assert store.dirty_chunks(MODEL, 10) == []
