"""Rows into the columns of a batch."""

import math
import struct
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from tiltyard.scoring.rows import RowError, pack_rows, split_columns
from tiltyard.types.schema import Column, ColumnType, Output, Signature

AT = datetime(2011, 4, 1, 12, 30, tzinfo=UTC)


def signature(*kinds: ColumnType) -> Signature:
    """Return a signature of inputs ``c0`` … of these types."""
    columns = tuple(
        Column(name=f"c{i}", type=k, levels=("a",) if k is ColumnType.CATEGORY else None)
        for i, k in enumerate(kinds)
    )
    return Signature(inputs=columns, output=Output(name="y", type=ColumnType.FLOAT64))


def packed(kind: ColumnType, value: Any) -> Any:
    """Return what one value of a column of that type is sent as."""
    return pack_rows(signature(kind), [{"c0": value}])[1][0][0]


def test_doubles_go_row_by_row_and_the_rest_column_by_column() -> None:
    """Columns keep the signature's order; a missing double is NaN, a missing other None."""
    wanted = signature(ColumnType.FLOAT64, ColumnType.STRING, ColumnType.FLOAT64, ColumnType.INT64)
    full: dict[str, Any] = {"c0": 1, "c1": "x", "c2": 2.5, "c3": 3.0, "more": 1}
    rows = [full, {"c2": math.nan}]
    numeric, others = pack_rows(wanted, rows)
    doubles = struct.unpack("<4d", numeric)
    assert doubles[:2] == (1.0, 2.5)
    assert all(map(math.isnan, doubles[2:]))
    assert others == [["x", None], [3, None]]
    assert split_columns(wanted) == ((0, 2), (1, 3))


@pytest.mark.parametrize(
    "given",
    [
        AT,
        "2011-04-01T12:30:00Z",
        "2011-04-01T14:30:00+02:00",
        int(AT.timestamp()) * 1_000_000,
        AT.astimezone(timezone(timedelta(hours=5))),
    ],
)
def test_times_are_the_same_instant_however_they_come(given: Any) -> None:
    """Aware datetimes, RFC 3339 text and microseconds give UTC."""
    assert packed(ColumnType.DATETIME, given) == AT
    assert packed(ColumnType.DATETIME, given).tzinfo is UTC


def test_dates_travel_as_iso_text() -> None:
    """A date and its text are the same."""
    assert packed(ColumnType.DATE, date(2011, 4, 1)) == "2011-04-01"
    assert packed(ColumnType.DATE, "2011-04-01") == "2011-04-01"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (ColumnType.FLOAT64, "1.0"),
        (ColumnType.FLOAT64, True),
        (ColumnType.INT64, 1.5),
        (ColumnType.INT64, 2**63),
        (ColumnType.INT64, True),
        (ColumnType.INT64, math.inf),
        (ColumnType.BOOL, 2),
        (ColumnType.BOOL, "true"),
        (ColumnType.BOOL, 1.0),
        (ColumnType.STRING, 5),
        (ColumnType.CATEGORY, True),
        (ColumnType.DATE, "yesterday"),
        (ColumnType.DATE, AT),
        (ColumnType.DATETIME, datetime(2011, 4, 1)),  # noqa: DTZ001  it is what is refused
        (ColumnType.DATETIME, "2011-04-01T12:30:00"),
        (ColumnType.DATETIME, 10**30),
        (ColumnType.DATETIME, [1]),
    ],
)
def test_a_value_of_another_type_names_row_and_column(kind: ColumnType, value: Any) -> None:
    """The error says where it is and what it should have been."""
    with pytest.raises(RowError, match=f"Row 1: column 'c0'.*no {kind.value}") as caught:
        pack_rows(signature(kind), [{}, {"c0": value}])
    assert caught.value.details == {"row": 1, "column": "c0"}
