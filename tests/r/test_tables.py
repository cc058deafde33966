"""Tables between R and Python: each value of each type comes through to the bit."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from support.r import R
from tiltyard.errors import InvalidInputError
from tiltyard.packaging.r.reading import read_table
from tiltyard.packaging.r.writing import write_table

HARD = [0.1, 1 / 3, 5e-324, -1.7976931348623157e308, 2.0**53, -0.0, 1e22, float("nan")]

BACK = """
told <- tiltyard:::read_table("there")
str(told)
stopifnot(
  identical(names(told)[c(3, 8, 12)], c("n?", "ü", "o")),
  identical(1 / told$x[6], -Inf), is.na(told$x[8]) && !is.nan(told$x[8]),
  is.integer(told$n), is.integer(told[["n?"]]), is.na(told[["n?"]][2]), is.double(told$big),
  is.logical(told$yes), identical(levels(told$level), c("b", "ä", "never")),
  identical(told[["ü"]][1:3], c("日本", "", NA)), inherits(told$day, "Date"),
  identical(attr(told$at, "tzone"), "UTC"), identical(colnames(told$p), c("a", "b")),
  identical(told$o[[1]], list(depth = 3L, name = "x")),
  identical(told$x[5] + 0, 2^53), identical(told$big[1], 2^31)
)
told$p <- NULL
told$o <- NULL
tiltyard:::write_table(told, "back")
"""


def frame() -> pd.DataFrame:
    """Every type that R and Python share."""
    rows = len(HARD)
    none: list[Any] = [None] * (rows - 3)
    return pd.DataFrame(
        {
            "x": HARD,
            "n": np.arange(rows) - 2**30,
            "n?": pd.array([1, None, *range(rows - 2)], dtype="Int64"),
            "big": [2**31, -(2**53), *range(rows - 2)],
            "yes": [True, False] * (rows // 2),
            "yes?": pd.array([True, None, False, *none], dtype="boolean"),
            "level": pd.Categorical(["ä", "b", None, *["b"] * (rows - 3)], ["b", "ä", "never"]),
            "ü": ["日本", "", None, *["a\nb"] * (rows - 3)],
            "day": [date(1, 1, 1), date(2024, 2, 29), None, *[date(1969, 12, 31)] * (rows - 3)],
            "at": pd.Series(
                [datetime(2106, 1, 1, 0, 0, 0, 1, UTC), None, *[datetime(1, 1, 1, tzinfo=UTC)] * 6]
            ).astype("datetime64[us, UTC]"),
            "p": [{"a": i / 7, "b": 1 - i / 7} for i in range(rows)],
            "o": [{"depth": 3, "name": "x"}, *[{}] * (rows - 1)],
        }
    )


@pytest.mark.slow
def test_a_table_goes_to_r_and_back(r: R, tmp_path: Path) -> None:
    """Doubles of every size, integers beyond 32 bits, levels in order, UTF-8, times, missing."""
    sent = frame()
    write_table(tmp_path / "there", sent)
    r.run(BACK, tmp_path)
    back = read_table(tmp_path / "back")
    assert list(back.types.values()) == [
        *("double", "integer", "integer", "double", "logical", "logical"),
        *("factor", "character", "Date", "POSIXct"),
    ]
    known = np.array(HARD)[:-1]
    assert back.frame["x"].to_numpy()[:-1].tobytes() == known.tobytes()
    whole = sent.drop(columns=["p", "o"]).astype({"big": "float64"})
    whole["ü"] = whole["ü"].astype("str")
    pd.testing.assert_frame_equal(back.frame.drop(columns="day"), whole.drop(columns="day"))
    assert back.frame["day"].tolist() == whole["day"].tolist()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([2**53 + 1], "beyond 2^53"),
        ([b"bytes"], "no exact type"),
        (pd.to_datetime(["2024-01-01"]), "no exact type"),
    ],
)
def test_what_r_cannot_hold_is_refused(tmp_path: Path, values: Any, told: str) -> None:
    """The column is named."""
    with pytest.raises(InvalidInputError, match="Column 'x'") as refused:
        write_table(tmp_path / "t", pd.DataFrame({"x": values}))
    assert told in refused.value.message


def test_a_table_without_columns_keeps_its_rows(tmp_path: Path) -> None:
    """It is as long as it was."""
    write_table(tmp_path / "t", pd.DataFrame(index=range(3)))
    assert json.loads((tmp_path / "t" / "table.json").read_text()) == {"rows": 3, "columns": []}
    assert len(read_table(tmp_path / "t").frame) == 3
