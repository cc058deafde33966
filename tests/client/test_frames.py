"""DataFrames over the wire: nothing changes, or it is refused by name."""

import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiltyard.client import wire
from tiltyard.client.frames import to_batches, to_frame
from tiltyard.errors import InvalidInputError


def travelled(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame after its way over the wire."""
    schema, batches = to_batches(frame)
    return to_frame(wire.decode(io.BytesIO(b"".join(wire.encode(schema, batches)))))


def test_every_type_comes_back_as_it_was() -> None:
    """Whole numbers beyond 2^53, bools, text, categories, dates, times and gaps survive."""
    frame = pd.DataFrame(
        {
            "whole": [2**53 + 1, -(2**63), 2**63 - 1],
            "whole_with_gap": pd.array([2**53 + 1, None, -5], dtype="Int64"),
            "float": [0.1, None, -1e308],
            "bool": [True, False, True],
            "bool_with_gap": pd.array([True, None, False], dtype="boolean"),
            "text": ["Zürich", None, "🚲 'quoted' \0"],
            "category": pd.Categorical(["b", None, "a"], categories=["b", "a", "never"]),
            "date": [date(2024, 2, 29), None, date(1900, 1, 1)],
            "at": pd.to_datetime(
                ["2024-03-31 01:59:59.123456", "NaT", "1969-12-31"], utc=True, format="ISO8601"
            ).as_unit("us"),
        }
    )
    pd.testing.assert_frame_equal(travelled(frame), frame)


def test_times_become_utc_and_narrow_numbers_wide() -> None:
    """The instant and the value stay; the zone and the width are those of the wire."""
    frame = pd.DataFrame(
        {
            "at": pd.to_datetime(["2024-07-01 12:00"]).tz_localize("Europe/Zurich"),
            "small": np.array([7], dtype="uint8"),
            "single": np.array([0.1], dtype="float32"),
        }
    )
    back = travelled(frame)
    assert back["at"].iloc[0] == datetime(2024, 7, 1, 10, tzinfo=UTC)
    assert str(back["at"].dtype) == "datetime64[us, UTC]"
    assert back["small"].dtype == "int64"
    assert back["single"].iloc[0] == float(np.float32(0.1))


def test_the_index_is_left_out() -> None:
    """A frame comes back with rows counted from 0."""
    frame = pd.DataFrame({"x": [1, 2]}, index=[7, 9])
    assert list(travelled(frame).index) == [0, 1]


def test_many_rows_travel_in_bounded_batches() -> None:
    """No batch holds more than 65,536 rows."""
    _, batches = to_batches(pd.DataFrame({"x": np.arange(150_000)}))
    sizes = [batch.num_rows for batch in batches]
    assert sum(sizes) == 150_000
    assert max(sizes) == 65_536


def test_an_empty_stream_keeps_its_columns() -> None:
    """A frame without rows has its columns and types on the other side."""
    back = travelled(pd.DataFrame({"x": pd.array([], dtype="int64"), "y": pd.array([], "str")}))
    assert list(back.columns) == ["x", "y"]
    assert back["x"].dtype == "int64"


NAIVE = [datetime(2024, 1, 1)]  # noqa: DTZ001  naive on purpose


@pytest.mark.parametrize(
    ("values", "word"),
    [
        (NAIVE, "zone"),
        (pd.to_datetime(NAIVE), "zone"),
        ([1, "one"], "mixes int, text"),
        (pd.Series([1, 2.5], dtype=object), "mixes float, int"),
        (pd.Series([True, 1], dtype=object), "mixes bool, int"),
        (pd.Categorical([1, 2]), "levels are no text"),
        (pd.Series([None, None], dtype=object), "no value at all"),
        ([timedelta(days=1)], "duration"),
        ([Decimal("1.5")], "decimal"),
        ([[1, 2]], "list"),
        ([2**64 - 1], "int64"),
        (pd.Series([2**70], dtype=object), "cannot be written"),
        (
            pd.to_datetime(["2024-01-01 00:00:00.000000001"], utc=True),
            "lose data",
        ),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(values: Any, word: str) -> None:
    """A column without an exact type is an error that names it and says why."""
    with pytest.raises(InvalidInputError, match="'odd one'") as refused:
        to_batches(pd.DataFrame({"odd one": values}))
    assert word in refused.value.message
    assert refused.value.details["column"] == "odd one"


@pytest.mark.parametrize("columns", [["x", "x"], ["x", 1], ["x", ""]])
def test_columns_need_names_of_their_own(columns: list[Any]) -> None:
    """Names that are no text, empty or there twice are refused."""
    with pytest.raises(InvalidInputError, match="Column"):
        to_batches(pd.DataFrame([[1, 2]], columns=columns))


def test_a_level_that_came_later_is_kept() -> None:
    """A value that the told levels lack becomes a level, not a gap."""
    field = wire.with_levels(pa.field("c", pa.string()), ["b", "a"])
    batch = pa.RecordBatch.from_arrays([pa.array(["z", "a"])], schema=pa.schema([field]))
    column = to_frame([batch])["c"]
    assert list(column) == ["z", "a"]
    assert list(column.cat.categories) == ["b", "a", "z"]


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
            st.floats(allow_nan=False),
            st.one_of(st.none(), st.text()),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_any_values_come_back(rows: list[tuple[int | None, float, str | None]]) -> None:
    """Numbers to the bit and any text."""
    columns = list(zip(*rows, strict=True))
    frame = pd.DataFrame(
        {
            "i": pd.array(columns[0], dtype="Int64"),
            "f": pd.Series(columns[1], dtype="float64"),
            "s": pd.Series([*columns[2][:-1], "last"], dtype="str"),
        }
    )
    back = travelled(frame)
    assert back["i"].astype("Int64").equals(frame["i"])
    assert back["f"].to_numpy().tobytes() == frame["f"].to_numpy().tobytes()
    assert back["s"].equals(frame["s"])
