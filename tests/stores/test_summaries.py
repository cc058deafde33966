"""Summaries: which chunks changed, what they hold, minutes and what is merged of them."""

import pytest

from support.stores import MODEL, actual, append, follow, prediction, summariser
from tiltyard.errors import InvalidInputError
from tiltyard.stores.base import DirtyChunk, Store, SummaryRow
from tiltyard.types.records import LogRecord, Score

MINUTE = 60_000_000


def clean(store: Store) -> None:
    """Clear all marks, as if everything was summarised."""
    lease = summariser(store)
    for dirty in store.dirty_chunks(MODEL, 1000):
        store.clear_dirty(lease, MODEL, dirty)


def dirty(store: Store) -> list[tuple[int, int]]:
    """Return (gateway, chunk) of what is to be summarised."""
    return [(d.gateway, d.chunk) for d in store.dirty_chunks(MODEL, 1000)]


def test_new_rows_make_their_chunks_dirty(store: Store) -> None:
    """A chunk is a thousand numbers of a model's log in one gateway."""
    append(store, prediction(0), prediction(999), prediction(1000))
    append(store, prediction(5000, gateway=2), prediction(5001, gateway=2, model="other"))
    assert dirty(store) == [(1, 0), (1, 1), (2, 5)]
    assert len(store.dirty_chunks(MODEL, 2)) == 2
    assert store.dirty_chunks("nobody", 10) == []


def test_repeated_records_make_nothing_dirty(store: Store) -> None:
    """A spool that is sent again costs no summaries."""
    records: list[LogRecord] = [prediction(0), prediction(1), actual(2, 0)]
    append(store, *records)
    clean(store)
    append(store, *records)
    assert dirty(store) == []


def test_scores_make_their_chunks_dirty(store: Store) -> None:
    """Only new ones."""
    append(store, prediction(0), prediction(1500))
    clean(store)
    follow(store, 2, [Score(1, 1500, 1.0)], {1: 1500})
    assert dirty(store) == [(1, 1)]
    clean(store)
    follow(store, 2, [Score(1, 1500, 1.0)], {1: 1500})
    assert dirty(store) == []


def test_a_change_during_summarising_is_not_lost(store: Store) -> None:
    """Clearing goes by the mark that was read; it grows with every change."""
    append(store, prediction(0))
    (read,) = store.dirty_chunks(MODEL, 10)
    append(store, actual(1, 0))
    store.clear_dirty(summariser(store), MODEL, read)
    (again,) = store.dirty_chunks(MODEL, 10)
    assert again.mark > read.mark
    store.clear_dirty(summariser(store), MODEL, again)
    assert dirty(store) == []
    append(store, actual(2, 0, 5.0))
    (later,) = store.dirty_chunks(MODEL, 10)
    assert later.mark > again.mark
    store.clear_dirty(summariser(store), MODEL, again)
    assert dirty(store) == [(1, 0)]


def test_a_chunk_holds_all_that_is_known_of_its_rows(store: Store) -> None:
    """Predictions in order, the actual that counts, scores by version; of no other chunk."""
    records = [prediction(seq) for seq in (2, 5, 999, 1000)]
    append(store, *records, actual(1001, 5, 1.0), actual(1002, 5, 2.0), actual(1003, 1000))
    append(store, actual(1004, 3, 9.0))
    scores = {2: Score(1, 2, 0.5), 5: Score(1, 5, None, refusal="no")}
    follow(store, 7, [*scores.values(), Score(1, 1000, 1.0)], {1: 1000})
    found = store.read_chunk(MODEL, 1, 0)
    assert found.predictions == records[:3]
    assert found.actuals == {5: 2.0}
    assert found.scores == {7: scores}
    assert store.read_chunk(MODEL, 1, 77).predictions == []


def test_minutes_are_replaced_by_chunk(store: Store) -> None:
    """Absolute: writing a chunk again leaves nothing of what it said before."""
    lease = summariser(store)
    first, second = DirtyChunk(1, 0, 1), DirtyChunk(1, 1, 1)
    old = [SummaryRow(1, 0, 0, MINUTE, b"a"), SummaryRow(1, 0, 3, 2 * MINUTE, b"b")]
    store.write_summaries(lease, MODEL, first, old)
    store.write_summaries(lease, MODEL, second, [SummaryRow(1, 1, 0, MINUTE, b"c")])
    assert store.minutes(MODEL, 0, 0, 10 * MINUTE) == [(MINUTE, b"a"), (MINUTE, b"c")]
    store.write_summaries(lease, MODEL, first, [SummaryRow(1, 0, 0, 3 * MINUTE, b"d")])
    assert store.minutes(MODEL, 0, 0, 10 * MINUTE) == [(MINUTE, b"c"), (3 * MINUTE, b"d")]
    assert store.minutes(MODEL, 3, 0, 10 * MINUTE) == []


def test_minutes_of_a_range_are_half_open(store: Store) -> None:
    """The start belongs to it, the end does not."""
    rows = [SummaryRow(1, 0, 0, i * MINUTE, b"%d" % i) for i in range(4)]
    store.write_summaries(summariser(store), MODEL, DirtyChunk(1, 0, 1), rows)
    found = store.minutes(MODEL, 0, MINUTE, 3 * MINUTE)
    assert found == [(MINUTE, b"1"), (2 * MINUTE, b"2")]


def test_a_summary_belongs_to_the_chunk_that_is_written(store: Store) -> None:
    """Else replacing the chunk would leave it behind."""
    with pytest.raises(InvalidInputError, match="another chunk"):
        store.write_summaries(
            summariser(store), MODEL, DirtyChunk(1, 0, 1), [SummaryRow(1, 1, 0, 0, b"")]
        )


def test_rollups_are_replaced_by_bucket(store: Store) -> None:
    """By version and granularity; buckets that are not written stay."""
    lease = summariser(store)
    store.write_rollups(lease, MODEL, 1, "hour", [(0, b"a"), (60, b"b")])
    store.write_rollups(lease, MODEL, 1, "day", [(0, b"c")])
    store.write_rollups(lease, MODEL, 1, "hour", [(60, b"d")])
    assert store.rollups(MODEL, 1, "hour", 0, 61) == [(0, b"a"), (60, b"d")]
    assert store.rollups(MODEL, 1, "hour", 0, 60) == [(0, b"a")]
    assert store.rollups(MODEL, 1, "day", 0, 60) == [(0, b"c")]
    assert store.rollups(MODEL, 2, "hour", 0, 60) == []
