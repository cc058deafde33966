"""The live log: every record once, in order, behind a watermark."""

from datetime import UTC, datetime
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.stores import MODEL, SECOND, T0, actual, append, prediction, take
from tiltyard.errors import InvalidInputError
from tiltyard.stores.base import Store, Window
from tiltyard.types.records import EPOCH_BITS, LogRecord, PredictionRecord

numbers = count(1)

ROW = {"big": 2**53 + 1, "text": "grüße 🚲", "none": None, "at": datetime(2012, 1, 1, tzinfo=UTC)}


def seqs(records: list[PredictionRecord]) -> list[int]:
    """Return the seqs of records."""
    return [record.seq for record in records]


def test_records_come_back_as_they_were(store: Store) -> None:
    """Rows and predictions of every kind are exact."""
    records = [
        prediction(0, row=ROW, value=0.1),
        prediction(1, value="yes", probabilities=[0.25, 0.75], event_time=T0),
        prediction(2, value=True),
        prediction(3, value=2**62),
    ]
    assert append(store, *records) == 4
    assert store.log(MODEL, 1, -1, 10) == records


def test_an_epoch_leaves_a_gap(store: Store) -> None:
    """Seqs of a later epoch follow those of the one before; the gap costs nothing."""
    far = 3 << EPOCH_BITS
    append(store, prediction(1))
    append(store, prediction(far), prediction(far + 1))
    assert seqs(store.log(MODEL, 1, -1, 10)) == [1, far, far + 1]
    assert store.watermarks() == {1: far + 1}


def test_the_watermark_is_the_last_seq_of_each_gateway(store: Store) -> None:
    """It moves with the records, by actuals as well, never back."""
    assert store.watermarks() == {}
    append(store, prediction(0), prediction(1))
    append(store, actual(2, 0))
    append(store, prediction(5, gateway=7))
    append(store, prediction(0))
    assert store.watermarks() == {1: 2, 7: 5}


def test_the_same_record_twice_is_kept_once(store: Store) -> None:
    """Also twice in one batch; only new ones are counted."""
    assert append(store, prediction(0), prediction(0), actual(1, 0), actual(1, 0)) == 2
    assert append(store, prediction(0), actual(1, 0), prediction(2)) == 1
    assert store.counts(MODEL) == {"predictions": 2, "with_actual": 1, "unknown_actuals": 0}


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_overlapping_batches_keep_each_record_once(store: Store, data: st.DataObject) -> None:
    """However often and in whatever slices a spool is sent again, the log is the same."""
    model = f"model-{next(numbers)}"
    kinds = data.draw(st.lists(st.booleans(), min_size=1, max_size=30))
    records: list[LogRecord] = [
        prediction(seq, gateway=9, model=model)
        if is_prediction
        else actual(seq, seq // 2, gateway=9, of_gateway=9, model=model)
        for seq, is_prediction in enumerate(kinds)
    ]
    cut = st.integers(0, len(records))
    for start, length in data.draw(st.lists(st.tuples(cut, cut), max_size=6)):
        batch = records[start : start + length]
        if batch:
            append(store, *batch)
    append(store, *records)
    expected = [r for r in records if isinstance(r, PredictionRecord)]
    assert store.log(model, 9, -1, 100) == expected
    asked = {r.of_seq for r in records if not isinstance(r, PredictionRecord)}
    known = asked & {r.seq for r in expected}
    assert store.counts(model) == {
        "predictions": len(expected),
        "with_actual": len(known),
        "unknown_actuals": len(asked - known),
    }
    scored = store.scored(model, 1, Window())
    assert sorted(scored["seq"].to_pylist()) == seqs(expected)


def test_the_log_is_read_in_pages(store: Store) -> None:
    """After a cursor, up to a seq, so many at once; other models and gateways stay apart."""
    append(store, *(prediction(seq) for seq in range(10)), prediction(10, model="other"))
    append(store, prediction(3, gateway=2))
    assert seqs(store.log(MODEL, 1, -1, 4)) == [0, 1, 2, 3]
    assert seqs(store.log(MODEL, 1, 3, 4)) == [4, 5, 6, 7]
    assert seqs(store.log(MODEL, 1, 7, 4)) == [8, 9]
    assert seqs(store.log(MODEL, 1, 2, 100, upto=5)) == [3, 4, 5]
    assert store.log(MODEL, 1, 9, 4) == []
    assert seqs(store.log(MODEL, 2, -1, 4)) == [3]
    assert store.log("nobody", 1, -1, 4) == []


def test_a_batch_is_of_one_gateway(store: Store) -> None:
    """Records of another gateway would be written under the wrong lease."""
    lease = take(store, "relay:1")
    with pytest.raises(InvalidInputError, match="another gateway"):
        store.append(lease, 1, [prediction(0, gateway=2)])
    assert store.append(lease, 1, []) == 0
    assert store.watermarks() == {}


def test_a_position_lets_a_follower_see_all_rows_since(store: Store) -> None:
    """By bucket time, not by arrival; a gateway without such rows stands at its watermark."""
    late = T0 - 3600 * SECOND
    append(store, *(prediction(seq, event_time=late) for seq in range(2000)))
    append(store, *(prediction(seq) for seq in range(2000, 3500)))
    append(store, prediction(4, gateway=2, event_time=late))
    assert store.position(MODEL, T0 + 2500 * SECOND) == {1: 2499, 2: 4}
    assert store.position(MODEL, T0) == {1: 1999, 2: 4}
    assert store.position(MODEL, late) == {1: -1, 2: 3}
    assert store.position(MODEL, T0 * 2) == {1: 3499, 2: 4}
    assert store.position("nobody", 0) == {1: 3499, 2: 4}


def test_the_event_range_is_of_bucket_times(store: Store) -> None:
    """Event time where a row has one, else arrival."""
    assert store.event_range(MODEL) is None
    append(store, prediction(0), prediction(1, event_time=T0 - 5), prediction(2))
    append(store, prediction(9, model="other"), actual(10, 0))
    assert store.event_range(MODEL) == (T0 - 5, T0 + 2 * SECOND)
