"""Histories over HTTP."""

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from support.control import GROUP, Control, bikes_frame, log_rows, write_bikes
from tiltyard.client import wire
from tiltyard.client.frames import to_batches, to_frame
from tiltyard.errors import ForbiddenError, InvalidInputError, NotFoundError
from tiltyard.types.schema import ColumnType


def write(control: Control, frame: pd.DataFrame, model: str = "bikes", **told: Any) -> str:
    """Write a history as a scientist; return its digest."""
    schema, batches = to_batches(frame)
    return control.client("scientist").put_history(model, schema, batches, **told).digest


def test_a_history_comes_back_exactly(control: Control) -> None:
    """What was written is read again, categories and missing values included."""
    digest = write_bikes(control)
    frame = to_frame(control.client("scientist").read_history("bikes", digest))
    pd.testing.assert_frame_equal(frame, bikes_frame(), check_freq=False)


def test_a_history_makes_the_model_and_its_call_schema(control: Control) -> None:
    """All columns but the target are what applications send; gaps make them nullable."""
    write_bikes(control)
    model = control.client("viewer").model("bikes")
    schema = model.call_schema
    assert (schema.target, schema.target_type, schema.event_time) == (
        "bikers", ColumnType.INT64, "at",
    )  # fmt: skip
    assert [(c.name, c.type, c.nullable) for c in schema.columns] == [
        ("at", ColumnType.DATETIME, False),
        ("temperature", ColumnType.FLOAT64, True),
        ("weather", ColumnType.CATEGORY, False),
    ]
    assert schema.columns[2].levels == ("rain", "sun")
    assert model.owner_group == GROUP


def test_the_same_rows_are_the_same_snapshot(control: Control) -> None:
    """A snapshot is named by its content."""
    assert write_bikes(control) == write_bikes(control)


def test_a_snapshot_stays_when_a_later_one_is_written(control: Control) -> None:
    """By its digest the first one is read as it was; by default the latest is meant."""
    first = write_bikes(control)
    second = write_bikes(control, bikes_frame(9))
    client = control.client("scientist")
    assert client.history("bikes").digest == second
    assert client.history("bikes", first).rows == 6
    assert len(to_frame(client.read_history("bikes", first))) == 6
    assert len(to_frame(client.read_history("bikes"))) == 9


def test_columns_can_be_chosen(control: Control, bikes: str) -> None:
    """In the order in which they are asked for; an unknown one names those there are."""
    client = control.client("scientist")
    frame = to_frame(client.read_history("bikes", columns=["bikers", "at"]))
    assert list(frame.columns) == ["bikers", "at"]
    with pytest.raises(NotFoundError, match="Known: at, temperature"):
        list(client.read_history("bikes", columns=["wind"]))


def test_a_second_writing_only_widens(control: Control, bikes: str) -> None:
    """New columns are nullable, new levels follow the old ones, missing columns stay."""
    frame = bikes_frame().drop(columns="temperature")
    frame["weather"] = pd.Categorical(["snow", *frame["weather"].astype(str)[1:]])
    frame["wind"] = 1.5
    write(control, frame)
    schema = control.client().model("bikes").call_schema
    assert [c.name for c in schema.columns] == ["at", "temperature", "weather", "wind"]
    assert schema.columns[2].levels == ("rain", "sun", "snow")
    assert schema.columns[3].nullable


def test_whole_numbers_fit_a_column_of_decimal_ones(control: Control, bikes: str) -> None:
    """A month without decimals does not change the column's type."""
    write(control, bikes_frame().assign(temperature=3))
    frame = to_frame(control.client("scientist").read_history("bikes"))
    assert frame["temperature"].dtype == "float64"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"temperature": "warm"}, "'temperature' of this model is float64"),
        ({"bikers": [1.5] * 6}, "'bikers' of this model is int64"),
        ({"bikers": pd.array([1, None, 3, 4, 5, 6], "Int64")}, "missing in 1 rows"),
        ({"at": 5}, "must be a column of times"),
        ({'12" wheels': 1}, "without quotation marks, backslashes"),
        ({"x" * 201: 1}, "1 to 200 characters"),
    ],
)
def test_a_history_that_does_not_fit_is_refused(
    control: Control, bikes: str, change: dict[str, Any], word: str
) -> None:
    """The sentence names the column; the latest history stays."""
    with pytest.raises(InvalidInputError) as refused:
        write(control, bikes_frame().assign(**change))
    assert word in refused.value.message
    assert control.client().history("bikes").rows == 6


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ({}, "say its task"),
        ({"task": "regression"}, "say its task"),
        ({"task": "regression", "target": "cars"}, "'cars' is no column"),
        ({"task": "classification", "target": "temperature"}, "missing in 1 rows"),
        ({"task": "regression", "target": "weather"}, "must be a number"),
        ({"task": "regression", "target": "bikers", "event_time": "hour"}, "no column"),
        ({"task": "regression", "target": "bikers", "event_time": "weather"}, "is category"),
        ({"task": "guessing", "target": "bikers"}, "query.task"),
    ],
)
def test_a_new_model_needs_task_target_and_times(
    control: Control, told: dict[str, str], word: str
) -> None:
    """What is missing or cannot be used is told, and no model is made."""
    with pytest.raises(InvalidInputError) as refused:
        write(control, bikes_frame(), **told)
    assert word in refused.value.message
    assert control.client().models() == []


def test_what_is_told_of_a_model_must_stay(control: Control, bikes: str) -> None:
    """Another target of the same model is refused."""
    with pytest.raises(InvalidInputError, match="target of 'bikes' is bikers and stays so"):
        write(control, bikes_frame(), target="temperature")


def test_a_classification_keeps_its_labels(control: Control) -> None:
    """A text target is a string, whatever its levels."""
    write(control, bikes_frame(), "skies", task="classification", target="weather")
    schema = control.client().model("skies").call_schema
    assert schema.target_type is ColumnType.STRING
    assert list(to_frame(control.client().read_history("skies"))["weather"])[:2] == ["rain", "sun"]


def test_dictionaries_and_narrow_types_are_taken(control: Control) -> None:
    """As R sends them: factors as dictionaries, 32-bit whole numbers."""
    batch = pa.record_batch(
        {
            "x": pa.array([1, 2], pa.int32()),
            "f": pa.array(["b", "a"]).dictionary_encode(),
            "y": pa.array([0.5, 1], pa.float32()),
        }
    )
    client = control.client("scientist")
    client.put_history("r", batch.schema, [batch], task="regression", target="y")
    columns = client.model("r").call_schema.columns
    assert [(c.name, c.type, c.levels) for c in columns] == [
        ("x", ColumnType.INT64, None),
        ("f", ColumnType.CATEGORY, ("b", "a")),
    ]


def put(control: Control, body: bytes) -> tuple[int, str]:
    """Send bytes as a history; return status and sentence."""
    answer = control.call(
        "PUT", "/models/x/history?task=regression&target=y", "scientist", content=body
    )
    return answer.status_code, answer.json()["error"]["message"]


def test_garbage_is_no_history(control: Control) -> None:
    """Bytes that are no Arrow stream, a torn one, and one without rows are 422."""
    schema, batches = to_batches(pd.DataFrame({"y": range(1000)}))
    whole = b"".join(wire.encode(schema, batches))
    assert put(control, b"") == (422, put(control, b"")[1])
    assert "not a whole Arrow IPC stream" in put(control, b"junk" * 100)[1]
    assert put(control, whole[: len(whole) // 2])[0] == 422
    assert "no rows" in put(control, b"".join(wire.encode(schema, [])))[1]
    assert control.client().models() == []


def test_forged_offsets_are_refused(control: Control) -> None:
    """A text column whose offsets point outside of its data does not reach anything."""
    offsets = pa.array([0, 2_000_000_000, 1], pa.int32()).buffers()[1]
    forged = pa.StringArray.from_buffers(2, offsets, pa.py_buffer(b"ab"))
    batch = pa.record_batch({"s": forged, "y": pa.array([1, 2])})
    status, sentence = put(control, b"".join(wire.encode(batch.schema, [batch])))
    assert status == 422
    assert "Arrow" in sentence


def test_two_columns_of_one_name_are_refused(control: Control) -> None:
    """Arrow allows them, a history does not."""
    batch = pa.RecordBatch.from_arrays([pa.array([1]), pa.array([2])], names=["y", "y"])
    assert "twice" in put(control, b"".join(wire.encode(batch.schema, [batch])))[1]


def test_many_rows_pass_through(control: Control) -> None:
    """More rows than a batch holds come back in their order."""
    write(
        control, pd.DataFrame({"x": range(150_000), "y": 1.0}), "big", task="regression", target="y"
    )
    frame = to_frame(control.client("scientist").read_history("big"))
    assert list(frame["x"]) == list(range(150_000))


def test_training_rows_are_history_then_live_rows_with_actuals(
    control: Control, bikes: str
) -> None:
    """Rows without an actual are left out; a window cuts the live ones."""
    log_rows(control, [(1.0, 11.0), (2.0, None), (3.0, 33.0)])
    client = control.client("scientist")
    frame = to_frame(client.training_frame("bikes"))
    assert list(frame["bikers"]) == [0, 10, 20, 30, 40, 50, 11, 33]
    assert list(frame.columns) == ["at", "temperature", "weather", "bikers"]
    later = datetime(2024, 2, 1, 1, tzinfo=UTC)
    assert list(to_frame(client.training_frame("bikes", later))["bikers"])[6:] == [33]
    assert len(to_frame(client.training_frame("bikes", end=later))) == 7


def test_extending_twice_adds_no_row_twice(control: Control, bikes: str) -> None:
    """The extended snapshot is read by its digest and is never the latest."""
    prepared = control.client().history("bikes")
    log_rows(control, [(1.0, 11.0), (3.0, 33.0)])
    client = control.client("scientist")
    first, second = client.extend_history("bikes"), client.extend_history("bikes")
    assert first.digest == second.digest != prepared.digest
    assert first.rows == 8
    assert client.history("bikes") == prepared
    read = to_frame(client.read_history("bikes", first.digest))
    pd.testing.assert_frame_equal(read, to_frame(client.training_frame("bikes")))


def test_extending_needs_a_history(control: Control) -> None:
    """A model without history is told as such."""
    with pytest.raises(NotFoundError, match="model 'nope'"):
        control.client().extend_history("nope")


def test_a_wider_call_schema_widens_the_training_rows(control: Control, bikes: str) -> None:
    """A column that the history lacks is missing there and present in later rows."""
    call = control.client().model("bikes").call_schema
    wider = call.model_validate(
        call.model_dump()
        | {
            "columns": [
                *call.model_dump()["columns"],
                {"name": "wind", "type": "float64", "nullable": True},
            ]
        }
    )
    control.client("scientist").put_model("bikes", "regression", wider)
    log_rows(control, [(1.0, 11.0)])
    frame = to_frame(control.client("scientist").training_frame("bikes"))
    assert list(frame.columns) == ["at", "temperature", "weather", "bikers", "wind"]


def test_nobody_takes_a_group_that_is_not_his(control: Control) -> None:
    """A new model's owner group is one of its maker's."""
    with pytest.raises(ForbiddenError, match="not of the group 'others'"):
        write(control, bikes_frame(), task="regression", target="bikers", owner_group="others")
