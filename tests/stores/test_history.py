"""Histories: what is put comes back, under a digest that depends on the rows alone."""

import hashlib
import json
import struct
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.stores import MODEL
from tiltyard.errors import InvalidInputError, NotFoundError
from tiltyard.stores.base import BATCH_ROWS, Store
from tiltyard.types.registry import HistorySnapshot

UTC_TIMES = pa.timestamp("us", "UTC")
WHEN = datetime(2011, 1, 1, 5, 30, 0, 7, tzinfo=UTC)

FULL = pa.table(
    {
        "flag": pa.array([True, None, False], pa.bool_()),
        "count": pa.array([2**53 + 1, None, -(2**63)], pa.int64()),
        "share": pa.array([0.1, None, -0.0], pa.float64()),
        "text": pa.array(["grüße 🚲", None, ""], pa.string()),
        "level": pa.array(["wet", None, "dry"]).dictionary_encode(),
        "day": pa.array([date(2011, 1, 1), None, date(1969, 12, 31)], pa.date32()),
        "at": pa.array([WHEN, None, datetime(1960, 1, 1, tzinfo=UTC)], UTC_TIMES),
    }
)


def put(store: Store, table: pa.Table, rows: int = 1000, **options: Any) -> HistorySnapshot:
    """Put a table in batches of so many rows."""
    batches: Iterator[pa.RecordBatch] = iter(table.to_batches(max_chunksize=rows))
    options = {"event_time": None, "created_by": "ada", **options}
    return store.put_history(MODEL, batches, **options)


def read(store: Store, digest: str, columns: list[str] | None = None) -> pa.Table:
    """Read a whole snapshot."""
    return pa.Table.from_batches(store.read_history(MODEL, digest, columns))


def test_every_type_comes_back_with_its_nulls(store: Store) -> None:
    """Big integers, unicode, empty texts and times before 1970 are exact; categories are text."""
    snapshot = put(store, FULL, event_time="at")
    found = read(store, snapshot.digest)
    assert found.schema.types == [
        pa.bool_(),
        pa.int64(),
        pa.float64(),
        pa.string(),
        pa.string(),
        pa.date32(),
        UTC_TIMES,
    ]
    assert found.to_pylist() == FULL.to_pylist()
    assert str(found["share"][2]) == "-0.0"


def test_a_snapshot_says_what_it_holds(store: Store) -> None:
    """Rows, columns, range of event times, who and when."""
    snapshot = put(store, FULL, event_time="at")
    assert snapshot.rows == 3
    assert snapshot.columns == tuple(FULL.column_names)
    assert snapshot.event_start == datetime(1960, 1, 1, tzinfo=UTC)
    assert snapshot.event_end == WHEN
    assert snapshot.created_by == "ada"
    assert store.history(MODEL) == snapshot
    assert store.history(MODEL, snapshot.digest) == snapshot


def test_the_digest_is_sha256_of_the_documented_encoding(store: Store) -> None:
    """Anybody can compute it without Arrow, from the documentation."""
    table = pa.table({"n": pa.array([7, None], pa.int64()), "t": pa.array(["é", None])})
    columns = [["n", "int64"], ["t", "string"]]
    parts = {"format": 1, "event_time": None, "columns": columns}
    header = json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()
    body = struct.pack("<Q", 2) + b"\1\0" + struct.pack("<qq", 7, 0)
    body += b"\1\0" + struct.pack("<II", 2, 0) + "é".encode()
    expected = hashlib.sha256(struct.pack("<Q", len(header)) + header + body).hexdigest()
    assert put(store, table).digest == expected


def test_the_same_rows_again_are_the_same_snapshot(store: Store) -> None:
    """Whatever the batches and whoever puts them; nothing is kept twice."""
    first = put(store, FULL, rows=3)
    again = put(store, FULL, rows=1, created_by="bob")
    assert again == first
    assert read(store, first.digest).num_rows == 3


def test_a_snapshot_that_is_put_again_becomes_the_latest_again(store: Store) -> None:
    """The latest is the one put last, not the one made last."""
    first = put(store, FULL)
    second = put(store, FULL.slice(0, 2))
    assert store.history(MODEL) == second
    put(store, FULL)
    assert store.history(MODEL) == first


def test_a_side_snapshot_is_not_the_latest(store: Store) -> None:
    """A retraining's snapshot is read by its digest only; it may become the latest later."""
    first = put(store, FULL)
    side = put(store, FULL.slice(1), latest=False)
    assert store.history(MODEL) == first
    assert store.history(MODEL, side.digest) == side
    put(store, FULL.slice(1))
    assert store.history(MODEL) == side


def test_different_rows_have_different_digests(store: Store) -> None:
    """Values, nulls, order, names, types and the event time all count; text borders too."""
    tables = [
        pa.table({"a": ["x", "yz"]}),
        pa.table({"a": ["xy", "z"]}),
        pa.table({"a": ["yz", "x"]}),
        pa.table({"b": ["x", "yz"]}),
        pa.table({"a": ["x", None]}),
        pa.table({"a": ["x", ""]}),
        pa.table({"a": [0, 1]}),
        pa.table({"a": [0.0, 1.0]}),
        pa.table({"a": [-0.0, 1.0]}),
        pa.table({"a": [False, True]}),
        pa.table({"a": pa.array([0, 1], UTC_TIMES)}),
    ]
    digests = [put(store, table).digest for table in tables]
    digests.append(put(store, tables[-1], event_time="a").digest)
    assert len(set(digests)) == len(digests)


def test_kinds_of_arrow_types_do_not_matter(store: Store) -> None:
    """Small integers, large strings, dictionaries, other zones and NaN are the same rows."""
    plain = pa.table(
        {
            "n": pa.array([1, 2], pa.int64()),
            "s": pa.array(["a", "b"]),
            "f": pa.array([0.5, None]),
            "t": pa.array([WHEN, WHEN], UTC_TIMES),
            "d": pa.array([date(2012, 2, 29)] * 2),
        }
    )
    other = pa.table(
        {
            "n": pa.array([1, 2], pa.uint8()),
            "s": pa.array(["a", "b"], pa.large_string()).dictionary_encode(),
            "f": pa.array([0.5, float("nan")], pa.float32()),
            "t": pa.array([WHEN, WHEN], pa.timestamp("ns", "Europe/Zurich")),
            "d": pa.array([date(2012, 2, 29)] * 2, pa.date64()),
        }
    )
    first = put(store, plain)
    assert put(store, other) == first
    assert read(store, first.digest)["f"].null_count == 1


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.integers(1, 70_000), min_size=1, max_size=8))
def test_batch_borders_never_matter(store: Store, sizes: list[int]) -> None:
    """Any batches of the same rows give one digest, over more rows than one stored batch."""
    rows = BATCH_ROWS + 7000
    table = pa.table(
        {"n": pa.array(range(rows)), "s": pa.array([str(i % 91) for i in range(rows)])}
    )
    batches: list[pa.RecordBatch] = []
    start = 0
    while start < rows:
        size = sizes[len(batches) % len(sizes)] + 2000
        batches += table.slice(start, size).combine_chunks().to_batches()
        start += size
    snapshot = store.put_history(MODEL, iter(batches), event_time=None, created_by="ada")
    whole = put(store, table, rows=10**6)
    assert snapshot.digest == whole.digest


def test_stored_batches_are_bounded_and_in_order(store: Store) -> None:
    """A reader never has more than BATCH_ROWS rows at once; one batch may have come larger."""
    rows = 2 * BATCH_ROWS + 5
    snapshot = put(store, pa.table({"n": pa.array(range(rows))}), rows=rows)
    batches = list(store.read_history(MODEL, snapshot.digest))
    assert [b.num_rows for b in batches] == [BATCH_ROWS, BATCH_ROWS, 5]
    assert pa.Table.from_batches(batches)["n"].to_pylist() == list(range(rows))


def test_columns_come_as_asked(store: Store) -> None:
    """Only these, in this order; an unknown one is named."""
    snapshot = put(store, FULL)
    assert read(store, snapshot.digest, ["text", "count"]).column_names == ["text", "count"]
    with pytest.raises(NotFoundError, match=r"'wind'.*flag"):
        read(store, snapshot.digest, ["wind"])


def test_an_interrupted_upload_leaves_nothing(store: Store) -> None:
    """All or nothing: what is being put cannot be seen, the latest stays the latest."""
    first = put(store, FULL)

    def broken() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"n": pa.array(range(BATCH_ROWS + 1))})
        assert store.history(MODEL) == first
        raise ConnectionError("the client went away")

    with pytest.raises(ConnectionError):
        store.put_history(MODEL, broken(), event_time=None, created_by="ada")
    assert store.history(MODEL) == first


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (pa.table({"t": pa.array([WHEN.replace(tzinfo=None)])}), "without a zone.*tz_localize"),
        (pa.table({"x": pa.array([[1, 2]])}), "'x' has type list.*cast it"),
        (pa.table({"x": pa.array([None])}), "'x' has type null"),
        (pa.table({"n": pa.array([2**64 - 1], pa.uint64())}), "'n' cannot be kept as int64"),
        (pa.table({"t": pa.array([1], pa.timestamp("ns", "UTC"))}), "'t' cannot be kept"),
        (pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), "Two columns.*'a'"),
        (pa.table({"n": pa.array([], pa.int64())}), "no rows"),
    ],
)
def test_what_cannot_be_kept_is_named(store: Store, table: pa.Table, words: str) -> None:
    """The column, its trouble and the way out; nothing is kept."""
    with pytest.raises(InvalidInputError, match=words):
        put(store, table)
    assert store.history(MODEL) is None


def test_batches_must_agree(store: Store) -> None:
    """A later batch with other columns is refused."""
    batches = iter([pa.record_batch({"a": [1]}), pa.record_batch({"b": [1]})])
    with pytest.raises(InvalidInputError, match="other columns"):
        store.put_history(MODEL, batches, event_time=None, created_by="ada")


@pytest.mark.parametrize(
    ("name", "words", "error"),
    [("nope", "'nope'.*Known: flag", NotFoundError), ("day", "UTC times", InvalidInputError)],
)
def test_the_event_time_must_be_a_time(
    store: Store, name: str, words: str, error: type[Exception]
) -> None:
    """A column that is not there or holds no instants cannot be the event time."""
    with pytest.raises(error, match=words):
        put(store, FULL, event_time=name)


def test_an_unknown_snapshot(store: Store) -> None:
    """Asking for it is None, reading it is an error, also before the first row."""
    assert store.history("nobody") is None
    assert store.history(MODEL, "00") is None
    with pytest.raises(NotFoundError, match="history of bike '00'"):
        store.read_history(MODEL, "00")


def test_predictions_of_a_snapshot(store: Store) -> None:
    """They come back in order, in place of earlier ones; each version has its own."""
    snapshot = put(store, FULL)
    for value in ("a", "b"):
        made = pa.record_batch({"value": [value] * 3, "p0": [0.1, 0.2, 0.3], "p1": [0.9, 0.8, 0.7]})
        store.put_history_predictions(MODEL, 1, snapshot.digest, iter([made]))
    found = pa.Table.from_batches(store.read_history_predictions(MODEL, 1)).to_pydict()
    assert found == made.to_pydict()
    with pytest.raises(NotFoundError, match="version '2'"):
        store.read_history_predictions(MODEL, 2)


def test_predictions_that_do_not_fit_their_snapshot(store: Store) -> None:
    """One for each row, with the columns of the contract, of a snapshot that is there."""
    snapshot = put(store, FULL)

    def give(digest: str, **columns: list[Any]) -> None:
        batches = iter([pa.record_batch(columns)])
        store.put_history_predictions(MODEL, 1, digest, batches)

    with pytest.raises(InvalidInputError, match="2 predictions for a history of 3"):
        give(snapshot.digest, value=[1.0, 2.0])
    with pytest.raises(InvalidInputError, match=r"value, p0, p1 …, not value, q"):
        give(snapshot.digest, value=[1.0], q=[1.0])
    with pytest.raises(NotFoundError):
        give("00", value=[1.0] * 3)
    with pytest.raises(NotFoundError):
        store.read_history_predictions(MODEL, 1)
