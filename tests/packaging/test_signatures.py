"""Inferring the inputs of a signature from a DataFrame."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tiltyard.errors import InvalidInputError
from tiltyard.packaging.signatures import MAX_LEVELS, check_policies, infer_inputs
from tiltyard.packaging.tables import input_table
from tiltyard.types.schema import ColumnType, Output, Signature

ROWS = 6
AT = datetime(2011, 4, 1, tzinfo=UTC)
DAY = date(2011, 4, 1)


@pytest.mark.parametrize(
    ("values", "kind", "dtype", "nullable"),
    [
        ([1.5, None] * 3, "float64", "float64", True),
        (np.arange(ROWS, dtype=np.float32), "float64", "float64", False),
        (pd.array([1.5, None] * 3, dtype="Float64"), "float64", "float64", True),
        (np.arange(ROWS, dtype=np.int8), "int64", "int64", False),
        (np.arange(ROWS, dtype=np.uint64), "int64", "int64", False),
        (pd.array([1, None] * 3, dtype="Int64"), "int64", "float64", True),
        (pd.Categorical([3, 1] * 3), "int64", "int64", False),
        ([True, False] * 3, "bool", "bool", False),
        (pd.array([True, None] * 3, dtype="boolean"), "bool", "float64", True),
        (pd.Series([True, None] * 3, dtype=object), "bool", "float64", True),
        (["x", "y"] * 3, "category", "str", False),
        (["x", None] * 3, "category", "str", True),
        (pd.Series(["x", None] * 3, dtype=object), "category", "str", True),
        (pd.Series(["x", "y"] * 3, dtype=pd.ArrowDtype(pa.string())), "category", "str", False),
        (list("abcdef"), "string", "str", False),
        (pd.Categorical(["x", None] * 3), "category", "category", True),
        ([DAY, None] * 3, "date", "date", True),
        (pd.to_datetime([AT] * ROWS), "datetime", "datetime64[us, UTC]", False),
        (pd.Series([AT, None] * 3, dtype=object), "datetime", "datetime64[us, UTC]", True),
        (
            pd.to_datetime([AT] * ROWS).tz_convert("Europe/Berlin"),
            "datetime",
            "datetime64[us, Europe/Berlin]",
            False,
        ),
    ],
)
def test_each_dtype_has_its_type(values: Any, kind: str, dtype: str, nullable: bool) -> None:
    """A column's type, the dtype that the estimator sees, and whether it may be missing."""
    inputs = infer_inputs(pd.DataFrame({"c": values}))
    (column,) = inputs.columns
    assert (str(column.type), inputs.dtypes["c"], column.nullable) == (kind, dtype, nullable)
    seen = str(inputs.frame["c"].dtype)
    assert seen == {"date": "object"}.get(dtype, dtype)
    signature = Signature(inputs=inputs.columns, output=Output(name="y", type=ColumnType.FLOAT64))
    assert input_table(signature, inputs.frame).num_rows == ROWS


def test_text_is_a_category_only_with_few_levels_that_repeat() -> None:
    """Levels are in order of appearance; a pandas category keeps its own, unused ones too."""
    frame = pd.DataFrame(
        {
            "few": ["b", "a", "b"] * 100,
            "many": [f"v{i % (MAX_LEVELS + 1)}" for i in range(300)],
            "own": pd.Categorical(["b"] * 300, categories=["c", "b", "a"]),
        }
    )
    few, many, own = infer_inputs(frame).columns
    assert (few.type, few.levels) == (ColumnType.CATEGORY, ("b", "a"))
    assert (many.type, many.levels) == (ColumnType.STRING, None)
    assert own.levels == ("c", "b", "a")


def test_numbers_keep_their_range() -> None:
    """Least and greatest known value of integers and floats, for drift."""
    whole, broken = infer_inputs(pd.DataFrame({"i": [3, -1, 2], "f": [0.5, np.nan, 9.0]})).columns
    assert (whole.minimum, whole.maximum) == (-1, 3)
    assert (broken.minimum, broken.maximum) == (0.5, 9.0)


NAIVE = datetime(2011, 4, 1)  # noqa: DTZ001  it is what is refused


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1 + 2j], "complex numbers: give real and imaginary part"),
        (pd.to_timedelta([1], unit="s"), "durations: make seconds"),
        (pd.to_datetime([NAIVE]), "times without a zone.*tz_localize"),
        (pd.Series([NAIVE], dtype=object), "times without a zone"),
        (pd.period_range("2011", periods=1, freq="D"), r"has the dtype period\[D\]"),
        (pd.arrays.SparseArray([1.0]), "is sparse"),
        ([[1, 2]], r"Python objects"),
        ([{"a": 1}], "Python objects"),
        (pd.Series([1, "a"], dtype=object), "Python objects"),
        ([Decimal(1)], r"Python objects \(decimal\)"),
        ([None], "no value at all: drop it"),
        ([1.0, np.inf], "infinity"),
        ([2**63], "beyond 64 bits"),
        (pd.Series([2**70], dtype=object), "beyond 64 bits"),
    ],
)
def test_what_cannot_be_an_input_is_named(values: Any, message: str) -> None:
    """The message names the column and says what to make of it."""
    with pytest.raises(InvalidInputError, match=f"Column 'odd' .*{message}"):
        infer_inputs(pd.DataFrame({"odd": values}))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "'a' is there twice"),
        (pd.DataFrame({3: [1]}), "Column 3 cannot be an input"),
        (pd.DataFrame({"": [1]}), "cannot be an input"),
        (pd.DataFrame({"x" * 201: [1]}), "cannot be an input"),
        (pd.DataFrame({'12" wheels': [1]}), "without quotation marks, backslashes"),
        (pd.DataFrame({"C:\\temp": [1]}), "without quotation marks, backslashes"),
        (pd.DataFrame({"__value": [1]}), "do not begin with '__'"),
        (pd.DataFrame({"a": []}), "no rows"),
        (pd.DataFrame(index=[1, 2]), "no input columns"),
    ],
)
def test_names_must_be_texts_and_different(frame: pd.DataFrame, message: str) -> None:
    """An unusable name is refused before anything is fitted."""
    with pytest.raises(InvalidInputError, match=message):
        infer_inputs(frame)


def test_policies_are_for_categories_and_known() -> None:
    """A policy for another column, or another word, lists what there is."""
    columns = infer_inputs(pd.DataFrame({"w": ["a", "b"] * 3, "n": range(6)})).columns
    assert check_policies(columns, {"w": "missing"}) == {"w": "missing"}
    with pytest.raises(InvalidInputError, match=r"'n', which is no category\. Categories: w"):
        check_policies(columns, {"n": "pass"})
    with pytest.raises(InvalidInputError, match="choose one of refuse, missing, pass"):
        check_policies(columns, {"w": "ignore"})
