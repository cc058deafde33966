"""Followers: scores once, cursor with them, and setting a cursor back."""

from typing import Any

import pytest

from support.stores import MODEL, append, follow, prediction, take
from tiltyard.errors import InvalidInputError, StaleLeaseError
from tiltyard.stores.base import Store, Window
from tiltyard.types.records import Score


def values(store: Store, version: int) -> list[float | None]:
    """Return what a version made of the log, in order."""
    found: list[float | None] = store.scored(MODEL, version, Window())["value"].to_pylist()
    return found


def test_a_cursor_begins_with_its_follower(store: Store) -> None:
    """None before, also {} counts as begun; each version has its own."""
    assert store.cursor(MODEL, 2) is None
    follow(store, 2, [], {})
    assert store.cursor(MODEL, 2) == {}
    follow(store, 2, [], {1: 4, 3: 9})
    follow(store, 2, [], {1: 5})
    assert store.cursor(MODEL, 2) == {1: 5, 3: 9}
    assert store.cursor(MODEL, 3) is None


def test_scores_are_kept_once(store: Store) -> None:
    """A batch that is written again after a crash changes nothing."""
    append(store, *(prediction(seq) for seq in range(3)))
    follow(store, 2, [Score(1, 0, 10.0), Score(1, 1, 11.0)], {1: 1})
    follow(store, 2, [Score(1, 1, 99.0), Score(1, 2, 12.0)], {1: 2})
    assert values(store, 2) == [10.0, 11.0, 12.0]
    assert values(store, 3) == []


def test_a_row_that_the_version_answered_is_never_scored_twice(store: Store) -> None:
    """None twice: a score for an own answer is dropped, as is one of an unknown row."""
    append(store, prediction(0, version=2), prediction(1, version=1))
    follow(store, 2, [Score(1, 0, 5.0), Score(1, 1, 6.0), Score(1, 77, 7.0)], {1: 1})
    assert values(store, 2) == [0.0, 6.0]


def test_a_refusal_is_kept_with_its_reason(store: Store) -> None:
    """A row that the version cannot score is a row without a value."""
    append(store, prediction(0))
    follow(store, 2, [Score(1, 0, None, refusal="null: hour")], {1: 0})
    table = store.scored(MODEL, 2, Window())
    assert table["refusal"].to_pylist() == ["null: hour"]
    assert table["value"].to_pylist() == [None]


def test_scores_and_cursor_move_together(store: Store) -> None:
    """A write that fails in its middle leaves neither."""
    append(store, *(prediction(seq) for seq in range(2)))
    follow(store, 2, [], {1: -1})
    lease = take(store, f"follow:{MODEL}:2")
    not_encodable: Any = object()
    bad = [Score(1, 0, 1.0), Score(1, 1, not_encodable)]
    with pytest.raises(TypeError):
        store.write_scores(lease, MODEL, 2, bad, {1: 1})
    assert store.cursor(MODEL, 2) == {1: -1}
    assert values(store, 2) == []


def test_setting_a_cursor_replaces_it_and_ends_the_lease(store: Store) -> None:
    """A batch under way with the old cursor loses; whoever takes the lease next goes on anew."""
    append(store, *(prediction(seq) for seq in range(4)))
    task = f"follow:{MODEL}:2"
    store.set_cursor(MODEL, 2, {1: 3, 5: 1})
    under_way = take(store, task, "one")
    store.set_cursor(MODEL, 2, {1: 0})
    assert store.cursor(MODEL, 2) == {1: 0}
    with pytest.raises(StaleLeaseError, match="'one'"):
        store.write_scores(under_way, MODEL, 2, [Score(1, 1, 1.0)], {1: 3})
    assert store.cursor(MODEL, 2) == {1: 0}
    assert take(store, task, "one").fence > under_way.fence
    store.write_scores(take(store, task, "one"), MODEL, 2, [Score(1, 1, 1.0)], {1: 1})
    assert values(store, 2) == [1.0]


def test_a_cursor_can_be_set_before_anybody_follows(store: Store) -> None:
    """As at a deployment: the watermark of that moment."""
    append(store, prediction(8))
    store.set_cursor(MODEL, 2, store.watermarks())
    assert store.cursor(MODEL, 2) == {1: 8}


def test_a_lease_is_of_one_version(store: Store) -> None:
    """Another version's lease does not do."""
    lease = take(store, f"follow:{MODEL}:3")
    with pytest.raises(InvalidInputError, match=r"needs the lease of 'follow:bike:2'"):
        store.write_scores(lease, MODEL, 2, [], {})
