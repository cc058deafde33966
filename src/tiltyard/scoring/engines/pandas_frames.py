"""Builds the DataFrame that an estimator saw at training from a batch.

A version's ``dtypes`` say for each input: ``float64``, ``int64``, ``bool``, ``str`` (pandas'
text dtype, NaN for missing), ``object`` (text as Python objects, None for missing), ``category``
(with the signature's levels; any other level reads as missing), ``date`` (objects of
`datetime.date`) or ``datetime64[us, <zone>]``. An int64 or bool input of dtype ``float64`` had
missing values at training and is a double with NaN.
"""

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from tiltyard.scoring.engines.base import Doubles
from tiltyard.scoring.engines.columns import BatchColumns
from tiltyard.types.schema import Column, Signature

Build = Callable[[list[Any]], Any]


class FrameBuilder:
    """Builds frames of one signature.

    Args:
        signature: whose inputs the columns are, in its order.
        dtypes: input → dtype, see above.
    """

    def __init__(self, signature: Signature, dtypes: dict[str, str]) -> None:
        self._columns = BatchColumns(signature)
        self._names = pd.Index([c.name for c in signature.inputs])
        self._builders = {c.name: _builder(c, dtypes[c.name]) for c in self._columns.others}

    def build(self, n: int, numeric: bytes, others: list[list[Any]]) -> pd.DataFrame:
        """Return n rows; see `frames.Batch` for the arguments."""
        matrix = self._columns.matrix(n, numeric)
        if not self._builders:
            return pd.DataFrame(matrix, columns=self._names, copy=False)
        return pd.DataFrame(self._mixed(matrix, self._columns.lists(others)), copy=False)[
            list(self._names)
        ]

    def _mixed(self, matrix: Doubles, lists: dict[str, list[Any]]) -> dict[str, Any]:
        built = {name: self._builders[name](values) for name, values in lists.items()}
        floats = {c.name: matrix[:, i] for i, c in enumerate(self._columns.numeric)}
        return {name: built[name] if name in built else floats[name] for name in self._names}


def _builder(column: Column, dtype: str) -> Build:
    if dtype == "category":
        return _category(column.levels or ())
    if dtype.startswith("datetime64"):
        zone = dtype.removeprefix("datetime64[us, ").removesuffix("]")
        return lambda values: pd.Series(
            pd.to_datetime(values, utc=True), dtype="datetime64[us, UTC]"
        ).dt.tz_convert(zone)
    return _BUILDERS[dtype]


def _category(levels: tuple[str, ...]) -> Build:
    dtype = pd.CategoricalDtype(list(levels))
    codes = {level: code for code, level in enumerate(levels)}
    return lambda values: pd.Categorical.from_codes([codes.get(v, -1) for v in values], dtype=dtype)


def _objects(values: list[Any]) -> Any:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _floats(values: list[Any]) -> Any:
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)


_BUILDERS: dict[str, Build] = {
    "int64": lambda values: np.array(values, dtype=np.int64),
    "bool": lambda values: np.array(values, dtype=np.bool_),
    "float64": _floats,
    "str": lambda values: pd.Series(_objects(values), dtype="str"),
    "object": _objects,
    "date": lambda values: _objects([v if v is None else date.fromisoformat(v) for v in values]),
}
