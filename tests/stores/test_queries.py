"""Frames of live rows: by bucket time, typed, with the actual that counts."""

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from support.stores import MODEL, SECOND, T0, actual, append, follow, prediction
from tiltyard.stores.base import BATCH_ROWS, Store, Window
from tiltyard.stores.records import Value
from tiltyard.types.records import Score
from tiltyard.types.schema import CallSchema, Column, ColumnType

WHEN = datetime(2012, 4, 1, 12, 0, 0, 1, tzinfo=UTC)

SCHEMA = CallSchema(
    columns=(
        Column(name="flag", type=ColumnType.BOOL, nullable=True),
        Column(name="count", type=ColumnType.INT64, nullable=True),
        Column(name="share", type=ColumnType.FLOAT64, nullable=True),
        Column(name="text", type=ColumnType.STRING, nullable=True),
        Column(name="level", type=ColumnType.CATEGORY, nullable=True, levels=("dry", "wet")),
        Column(name="day", type=ColumnType.DATE, nullable=True),
        Column(name="at", type=ColumnType.DATETIME, nullable=True),
    ),
    target="rentals",
    target_type=ColumnType.INT64,
    event_time="at",
)

SENT = {
    "flag": True,
    "count": 2**53 + 1,
    "share": 3,
    "text": "grüße 🚲",
    "level": "snow",
    "day": "2012-04-01",
    "at": WHEN,
}


def live(store: Store, window: Window | None = None, *, only: bool = False) -> pa.Table:
    """Return all live rows of a window as one table."""
    batches = store.live_rows(MODEL, SCHEMA, window or Window(), with_actuals_only=only)
    return pa.Table.from_batches(list(batches))


def test_scored_rows_tell_all_about_a_prediction(store: Store) -> None:
    """The columns of the contract, with their types."""
    append(store, prediction(0, value="wet", probabilities=[0.25, 0.75], event_time=T0 - 9))
    append(store, actual(1, 0, "dry", known_at=T0 + 77))
    table = store.scored(MODEL, 1, Window())
    assert table.to_pylist() == [
        {
            "gateway": 1,
            "seq": 0,
            "at": T0 - 9,
            "received_at": T0,
            "version_answered": 1,
            "value": "wet",
            "p0": 0.25,
            "p1": 0.75,
            "refusal": None,
            "actual": "dry",
            "known_at": T0 + 77,
        }
    ]
    assert [str(kind) for kind in table.schema.types] == [
        *["int64"] * 5,
        "string",
        *["double"] * 2,
        *["string"] * 2,
        "int64",
    ]


@pytest.mark.parametrize(
    ("values", "kind"),
    [([1, 2.5], pa.float64()), ([True, False], pa.bool_()), (["a", "b"], pa.string())],
)
def test_values_have_one_type(store: Store, values: list[Value], kind: pa.DataType) -> None:
    """Numbers are float64, bools and texts stay what they are, for value and actual alike."""
    append(store, *(prediction(i, value=v) for i, v in enumerate(values)))
    append(store, *(actual(9 + i, i, v) for i, v in enumerate(values)))
    table = store.scored(MODEL, 1, Window())
    assert table["value"].type == table["actual"].type == kind
    assert table["value"].to_pylist() == table["actual"].to_pylist() == values


def test_nothing_scored_is_a_table_without_rows(store: Store) -> None:
    """It has the columns all the same."""
    table = store.scored("nobody", 1, Window())
    assert table.num_rows == 0
    assert {"at", "value", "actual"} <= set(table.column_names)


def test_answered_and_followed_rows_come_together(store: Store) -> None:
    """By bucket time; version_answered says whose answer the application got."""
    append(store, *(prediction(seq, version=1 + seq % 2) for seq in range(6)))
    scores = [Score(1, seq, -float(seq)) for seq in (0, 2, 4)]
    follow(store, 2, scores, {1: 5})
    table = store.scored(MODEL, 2, Window())
    assert table["value"].to_pylist() == [0.0, 1.0, -2.0, 3.0, -4.0, 5.0]
    assert table["version_answered"].to_pylist() == [1, 2, 1, 2, 1, 2]


def test_a_limit_keeps_the_newest(store: Store) -> None:
    """Of answered and followed rows together, in order of time."""
    append(store, *(prediction(seq, version=1 + seq % 2) for seq in range(6)))
    follow(store, 2, [Score(1, seq, -float(seq)) for seq in (0, 2, 4)], {1: 5})
    table = store.scored(MODEL, 2, Window(), limit=3)
    assert table["value"].to_pylist() == [3.0, -4.0, 5.0]


def test_windows_are_of_bucket_time_and_half_open(store: Store) -> None:
    """Event time where there is one, else arrival; the start belongs to it, the end does not."""
    append(
        store,
        prediction(0, event_time=T0 + 5 * SECOND),
        prediction(1),
        prediction(2, event_time=T0),
        prediction(5, row=SENT),
    )
    window = Window(start=T0 + SECOND, end=T0 + 5 * SECOND)
    assert store.scored(MODEL, 1, window)["seq"].to_pylist() == [1]
    assert live(store, window).num_rows == 1
    window = Window(start=T0, end=T0 + 5 * SECOND + 1)
    assert store.scored(MODEL, 1, window)["seq"].to_pylist() == [2, 1, 0, 5]
    assert live(store, window)["text"].to_pylist() == [None, None, None, SENT["text"]]
    assert store.scored(MODEL, 1, Window(end=T0))["seq"].to_pylist() == []
    assert list(store.live_rows(MODEL, SCHEMA, Window(end=T0))) == []


def test_live_rows_are_typed_by_the_call_schema(store: Store) -> None:
    """Every type, unknown levels as they came, and the target last."""
    append(store, prediction(0, row=SENT), actual(1, 0, 16))
    append(store, prediction(2, row={"count": None, "share": float("nan"), "more": 1}))
    table = live(store)
    assert table.schema.names == [*(c.name for c in SCHEMA.columns), "rentals"]
    assert [str(kind) for kind in table.schema.types] == [
        "bool",
        "int64",
        "double",
        "string",
        "string",
        "date32[day]",
        "timestamp[us, tz=UTC]",
        "int64",
    ]
    full, empty = table.to_pylist()
    assert full == {**SENT, "share": 3.0, "day": date(2012, 4, 1), "rentals": 16}
    assert set(empty.values()) == {None}


def test_times_may_come_as_text(store: Store) -> None:
    """RFC 3339 with any offset is the same instant in UTC."""
    append(store, prediction(0, row={"at": "2012-04-01T14:00:00.000001+02:00"}))
    assert live(store)["at"].to_pylist() == [WHEN]


def test_what_a_type_cannot_hold_is_missing(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """One odd value in the log does not keep a model from being retrained; it is said."""
    append(store, prediction(0, row={"count": 0.5, "share": "much", "at": "2012-04-01T12:00:00"}))
    append(store, actual(1, 0, "many"))
    assert set(live(store).to_pylist()[0].values()) == {None}
    assert "do not fit" in caplog.text


def test_live_rows_with_actuals_only(store: Store) -> None:
    """As known until then; a row whose actual is unknown is left out."""
    append(store, *(prediction(seq, row={"count": seq}) for seq in range(3)))
    append(store, actual(3, 0, 5), actual(4, 2, 7))
    assert live(store, only=True)["count"].to_pylist() == [0, 2]
    early = Window(known_by=T0 + 3 * SECOND)
    assert live(store, early, only=True)["rentals"].to_pylist() == [5]
    assert live(store, early)["rentals"].to_pylist() == [5, None, None]


def test_live_rows_come_in_bounded_batches(store: Store) -> None:
    """No row twice or left out between them, also where many share one time."""
    rows = BATCH_ROWS + 100
    append(store, *(prediction(seq, row={"count": seq}, event_time=T0) for seq in range(rows)))
    batches = list(store.live_rows(MODEL, SCHEMA, Window()))
    assert [b.num_rows for b in batches] == [BATCH_ROWS, 100]
    assert pa.Table.from_batches(batches)["count"].to_pylist() == list(range(rows))
