"""DataFrames as tables that R reads; `docs/r.md` says how a table lies in a folder."""

import json
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from tiltyard.errors import InvalidInputError
from tiltyard.packaging.r.reading import MICROSECONDS, NO_INTEGER, NO_TEXT, TABLE

NO_DOUBLE = np.uint64(0x7FF0_0000_0000_07A2).view(np.float64)
"""R's NA of doubles, which it tells from NaN."""
MOST_EXACT = 2**53
"""Whole numbers beyond this are not all doubles, and R has no others."""


def write_table(folder: Path, frame: pd.DataFrame) -> None:
    """Write a frame for R's ``read_table``; the index is left out.

    Integers that fit 32 bits are R's integers, else doubles. A column of mappings to doubles, such
    as probabilities, becomes a matrix, one of other mappings a list.

    Raises:
        InvalidInputError: naming a column that R cannot hold exactly.
    """
    folder.mkdir()
    columns = [
        {"name": str(name), **_write(folder / str(place), str(name), frame[name])}
        for place, name in enumerate(frame.columns)
    ]
    told = {"rows": len(frame), "columns": columns}
    (folder / TABLE).write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")


def _write(path: Path, name: str, series: "pd.Series[Any]") -> dict[str, Any]:
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        if all(isinstance(level, str) for level in dtype.categories):
            return _factor(path, series)
        series = series.astype(object).infer_objects()
        dtype = series.dtype
    if types.is_integer_dtype(dtype):
        return _integer(path, name, series)
    if types.is_object_dtype(dtype):
        return _objects(path, name, series)
    for holds, write in _WRITERS:
        if holds(dtype):
            return write(path, series)
    raise _refused(name, f"has the type {dtype}")


def _objects(path: Path, name: str, series: "pd.Series[Any]") -> dict[str, Any]:
    inferred = types.infer_dtype(series, skipna=True)
    if inferred in {"string", "empty"}:
        return _text(path, series)
    if inferred == "date":
        return _date(path, series)
    if inferred == "boolean":
        return _logical(path, series.astype("boolean"))
    if inferred == "integer":
        return _integer(path, name, series.astype("Int64"))
    if inferred in {"floating", "mixed-integer-float"}:
        return _double(path, series.astype(np.float64))
    if all(isinstance(value, Mapping) for value in series):
        return _mappings(path, series)
    raise _refused(name, f"holds Python objects ({inferred})")


def _double(path: Path, series: "pd.Series[Any]") -> dict[str, Any]:
    _doubles(path, series.to_numpy(dtype=np.float64, na_value=np.nan))
    return {"type": "double"}


def _doubles(path: Path, values: Any) -> None:
    gone = np.isnan(values)
    np.where(gone, NO_DOUBLE, values).astype("<f8").tofile(path)


def _integer(path: Path, name: str, series: "pd.Series[Any]") -> dict[str, Any]:
    gone = series.isna().to_numpy()
    whole = series.fillna(0).to_numpy(dtype=np.int64)
    least, most = int(whole.min(initial=0)), int(whole.max(initial=0))
    if least > NO_INTEGER and most <= -(NO_INTEGER + 1):
        np.where(gone, NO_INTEGER, whole).astype("<i4").tofile(path)
        return {"type": "integer"}
    if max(-least, most) > MOST_EXACT:
        raise InvalidInputError(
            f"Column {name!r} holds whole numbers beyond 2^53, which R's numbers are too coarse "
            "for: leave it out by columns=, or read it as text (CAST(… AS TEXT)).",
            column=name,
        )
    _doubles(path, np.where(gone, np.nan, whole))
    return {"type": "double"}


def _logical(path: Path, series: "pd.Series[Any]") -> dict[str, Any]:
    gone = series.isna().to_numpy()
    truth = series.fillna(False).to_numpy(dtype=np.bool_)
    np.where(gone, NO_INTEGER, truth.astype(np.int32)).astype("<i4").tofile(path)
    return {"type": "logical"}


def _factor(path: Path, series: "pd.Series[Any]") -> dict[str, Any]:
    codes = series.cat.codes.to_numpy(dtype=np.int64)
    np.where(codes < 0, NO_INTEGER, codes + 1).astype("<i4").tofile(path)
    return {"type": "factor", "levels": list(series.cat.categories)}


def _text(path: Path, series: "pd.Series[Any]") -> dict[str, Any]:
    texts = [
        None if gone else str(v).encode() for v, gone in zip(series, series.isna(), strict=True)
    ]
    lengths = [NO_TEXT if text is None else len(text) for text in texts]
    np.array(lengths, dtype="<i4").tofile(path)
    path.with_suffix(".text").write_bytes(b"".join(text or b"" for text in texts))
    return {"type": "character"}


def _date(path: Path, series: "pd.Series[Any]") -> dict[str, Any]:
    first = date(1970, 1, 1).toordinal()
    days = [np.nan if not isinstance(d, date) else d.toordinal() - first for d in series]
    _doubles(path, np.array(days, dtype=np.float64))
    return {"type": "Date"}


def _instant(path: Path, series: "pd.Series[Any]") -> dict[str, Any]:
    micros = series.dt.tz_convert("UTC").dt.tz_localize(None).dt.as_unit("us")
    gone = micros.isna().to_numpy()
    whole = micros.to_numpy().view(np.int64)
    _doubles(path, np.where(gone, np.nan, whole / MICROSECONDS))
    return {"type": "POSIXct"}


def _mappings(path: Path, series: "pd.Series[Any]") -> dict[str, Any]:
    names = list(dict.fromkeys(name for mapping in series for name in mapping))
    values = [value for mapping in series for value in mapping.values()]
    if not names or not all(isinstance(value, float) for value in values):
        _text(path, pd.Series([json.dumps(mapping) for mapping in series]))
        return {"type": "json"}
    columns = [[mapping.get(name, np.nan) for mapping in series] for name in names]
    _doubles(path, np.array(columns, dtype=np.float64))
    return {"type": "matrix", "names": names}


_WRITERS: tuple[tuple[Callable[[Any], bool], Callable[[Path, Any], dict[str, Any]]], ...] = (
    (types.is_bool_dtype, _logical),
    (types.is_float_dtype, _double),
    (lambda dtype: isinstance(dtype, pd.DatetimeTZDtype), _instant),
    (lambda dtype: isinstance(dtype, pd.StringDtype), _text),
)


def _refused(name: str, why: str) -> InvalidInputError:
    return InvalidInputError(
        f"Column {name!r} {why}, which R has no exact type for: leave it out, or make it numbers, "
        "text, dates or times in UTC.",
        column=name,
    )
