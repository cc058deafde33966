"""A column of any usable pandas dtype in the few dtypes that scorers build again."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pandas.api import types

from tiltyard.errors import InvalidInputError
from tiltyard.types.schema import ColumnType

TEXT = pd.StringDtype(na_value=np.nan)

INT64 = np.iinfo(np.int64)


class Normal(NamedTuple):
    """A column in its final dtype; ``dtype`` is its name in ``version.json``."""

    kind: ColumnType
    dtype: str
    series: "pd.Series[Any]"


def normalise(name: str, series: "pd.Series[Any]") -> Normal:
    """Return a column's type and the column in the dtype that estimators are given.

    Raises:
        InvalidInputError: naming the column and what to make of it.
    """
    dtype = series.dtype
    if isinstance(dtype, pd.SparseDtype):
        raise _refused(name, "is sparse", "make it dense by .sparse.to_dense()")
    if series.isna().all():
        raise _refused(name, "holds no value at all", "drop it")
    make = next((make for holds, make in _MAKERS if holds(dtype)), _others)
    return make(name, series)


def _others(name: str, series: "pd.Series[Any]") -> Normal:
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        at = series.dt.as_unit("us")
        return Normal(ColumnType.DATETIME, f"datetime64[us, {at.dt.tz}]", at)
    if types.is_datetime64_any_dtype(series.dtype):
        raise _refused(
            name,
            "holds times without a zone, which mean another instant in another place",
            "name the zone they are of by .dt.tz_localize('UTC') or another",
        )
    if types.is_complex_dtype(series.dtype):
        raise _refused(name, "holds complex numbers", "give real and imaginary part a column each")
    if types.is_timedelta64_dtype(series.dtype):
        raise _refused(name, "holds durations", "make seconds of it by .dt.total_seconds()")
    raise _refused(name, f"has the dtype {series.dtype}", "make it numbers, text or times")


def _category(name: str, series: "pd.Series[Any]") -> Normal:
    categories = series.cat.categories
    if all(isinstance(level, str) for level in categories):
        plain = pd.CategoricalDtype(categories.astype(object), ordered=False)
        return Normal(ColumnType.CATEGORY, "category", series.astype(plain))
    return normalise(name, series.astype(object).infer_objects())


def _objects(name: str, series: "pd.Series[Any]") -> Normal:
    plain = series.astype(object)
    plain = plain.where(plain.notna(), None)
    inferred = types.infer_dtype(plain, skipna=True)
    if inferred == "string":
        return _text(name, plain)
    if inferred == "boolean":
        return _bools(name, plain.astype("boolean"))
    if inferred == "integer":
        return _integers(name, _nullable_integers(name, plain))
    if inferred in {"floating", "mixed-integer-float"}:
        return _floats(name, plain.astype(np.float64))
    if inferred == "date":
        return Normal(ColumnType.DATE, "date", plain)
    if inferred == "datetime":
        return _times(name, plain)
    raise _refused(
        name, f"holds Python objects ({inferred})", "make it one of numbers, text, dates or times"
    )


def _times(name: str, series: "pd.Series[Any]") -> Normal:
    if any(at.utcoffset() is None for at in series.dropna()):
        return _others(name, series.astype("datetime64[us]"))
    return _others(name, pd.to_datetime(series, utc=True))


def _nullable_integers(name: str, series: "pd.Series[Any]") -> "pd.Series[Any]":
    try:
        return series.astype("Int64")
    except (OverflowError, TypeError, ValueError):
        raise _too_large(name) from None


def _text(_: str, series: "pd.Series[Any]") -> Normal:
    return Normal(ColumnType.STRING, "str", series.astype(TEXT))


def _bools(_: str, series: "pd.Series[Any]") -> Normal:
    if series.isna().any():
        doubles = series.astype("boolean").astype("Float64").astype(np.float64)
        return Normal(ColumnType.BOOL, "float64", doubles)
    return Normal(ColumnType.BOOL, "bool", series.astype(np.bool_))


def _integers(name: str, series: "pd.Series[Any]") -> Normal:
    if series.max() > INT64.max:
        raise _too_large(name)
    if series.isna().any():
        return Normal(ColumnType.INT64, "float64", series.astype(np.float64))
    return Normal(ColumnType.INT64, "int64", series.astype(np.int64))


def _floats(name: str, series: "pd.Series[Any]") -> Normal:
    doubles = series.astype(np.float64)
    if np.isinf(doubles).any():
        raise _refused(
            name, "holds infinity, which no call can send", "replace it by a number or NaN"
        )
    return Normal(ColumnType.FLOAT64, "float64", doubles)


def _too_large(name: str) -> InvalidInputError:
    return _refused(name, "holds integers beyond 64 bits", "make it floats or text")


def _refused(name: str, why: str, instead: str) -> InvalidInputError:
    return InvalidInputError(f"Column {name!r} {why}: {instead}.", column=name)


def _is_objects(dtype: Any) -> bool:
    return isinstance(dtype, pd.ArrowDtype) or types.is_object_dtype(dtype)


_MAKERS: tuple[tuple[Callable[[Any], bool], Callable[[str, "pd.Series[Any]"], Normal]], ...] = (
    (lambda dtype: isinstance(dtype, pd.CategoricalDtype), _category),
    (_is_objects, _objects),
    (types.is_bool_dtype, _bools),
    (types.is_integer_dtype, _integers),
    (types.is_float_dtype, _floats),
    (lambda dtype: isinstance(dtype, pd.StringDtype), _text),
)
