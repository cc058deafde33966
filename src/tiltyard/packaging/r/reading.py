"""Tables that R wrote, as DataFrames; `docs/r.md` says how a table lies in a folder."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tiltyard.packaging.dtypes import TEXT

TABLE = "table.json"
NO_INTEGER = np.iinfo(np.int32).min
"""R's NA of integers, logicals and codes of factors."""
NO_INTEGER64 = np.iinfo(np.int64).min
"""NA of bit64's integers."""
NO_TEXT = -1
MICROSECONDS = 1_000_000


class RTable(NamedTuple):
    """A table of R.

    Attributes:
        frame: its rows, with the dtypes that the same column would have in Python.
        types: column → how R holds it: double, integer, integer64, logical, factor, character,
            Date or POSIXct.
    """

    frame: pd.DataFrame
    types: dict[str, str]


def read_table(folder: Path) -> RTable:
    """Read a table that R's ``write_table`` wrote; all values are as R had them."""
    told = json.loads((folder / TABLE).read_text(encoding="utf-8"))
    columns = told["columns"]
    series = [
        _READERS[column["type"]](folder / str(place), column)
        for place, column in enumerate(columns)
    ]
    frame = pd.concat(series, axis=1) if series else pd.DataFrame(index=range(told["rows"]))
    frame.columns = pd.Index([column["name"] for column in columns])
    return RTable(frame, {column["name"]: column["type"] for column in columns})


def _double(path: Path, _: Any) -> "pd.Series[Any]":
    return pd.Series(np.fromfile(path, dtype="<f8"))


def _integer(path: Path, _: Any) -> "pd.Series[Any]":
    return _integers(np.fromfile(path, dtype="<i4"), NO_INTEGER)


def _integer64(path: Path, _: Any) -> "pd.Series[Any]":
    return _integers(np.fromfile(path, dtype="<i8"), NO_INTEGER64)


def _integers(values: Any, missing: int) -> "pd.Series[Any]":
    gone = values == missing
    whole = values.astype(np.int64)
    if not gone.any():
        return pd.Series(whole)
    return pd.Series(pd.arrays.IntegerArray(whole, gone))


def _logical(path: Path, _: Any) -> "pd.Series[Any]":
    values = np.fromfile(path, dtype="<i4")
    gone = values == NO_INTEGER
    truth = (values != 0) & ~gone
    if not gone.any():
        return pd.Series(truth)
    return pd.Series(pd.arrays.BooleanArray(truth, gone))


def _factor(path: Path, column: Any) -> "pd.Series[Any]":
    codes = np.fromfile(path, dtype="<i4")
    places = np.where(codes == NO_INTEGER, -1, codes - 1)
    levels = pd.Index(column["levels"], dtype=TEXT)
    return pd.Series(pd.Categorical.from_codes(places, categories=levels))


def _character(path: Path, _: Any) -> "pd.Series[Any]":
    lengths = np.fromfile(path, dtype="<i4")
    content = path.with_suffix(".text").read_bytes()
    ends = np.cumsum(np.maximum(lengths, 0))
    values = [
        None if length == NO_TEXT else content[end - length : end].decode()
        for length, end in zip(lengths.tolist(), ends.tolist(), strict=True)
    ]
    return pd.Series(values, dtype=TEXT)


def _date(path: Path, _: Any) -> "pd.Series[Any]":
    days = np.fromfile(path, dtype="<f8")
    first = date(1970, 1, 1).toordinal()
    values = [None if d != d else date.fromordinal(first + int(d // 1)) for d in days.tolist()]  # noqa: PLR0124
    return pd.Series(values, dtype=object)


def _instant(path: Path, _: Any) -> "pd.Series[Any]":
    seconds = np.fromfile(path, dtype="<f8")
    gone = ~np.isfinite(seconds)
    known = np.where(gone, 0.0, seconds)
    micros = np.rint(known * MICROSECONDS).astype(np.int64).view("datetime64[us]")
    micros[gone] = np.datetime64("NaT")
    return pd.Series(micros).dt.tz_localize("UTC")


_READERS: dict[str, Callable[[Path, Any], "pd.Series[Any]"]] = {
    "double": _double,
    "integer": _integer,
    "integer64": _integer64,
    "logical": _logical,
    "factor": _factor,
    "character": _character,
    "Date": _date,
    "POSIXct": _instant,
}
