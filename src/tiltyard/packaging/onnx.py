"""Converts scikit-learn estimators to ONNX, and judges whether the graph agrees with them.

Forms are tried in the order of their speed; the first whose predictions agree is taken: one
matrix of doubles (all inputs float64), one of floats (trees compare floats), a column for each
input with integers as they are, and with integers as doubles.
"""

import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tiltyard.scoring.engines.base import Scores
from tiltyard.scoring.engines.onnx import OnnxEngine
from tiltyard.scoring.golden import first_difference
from tiltyard.types.schema import Column, ColumnType, Signature

MATRIX = "inputs"

Form = list[tuple[str, Any]]


class Graph(NamedTuple):
    """A converted estimator; ``form`` is the name of the form that was taken."""

    form: str
    model: bytes
    engine: OnnxEngine


class NotConvertedError(Exception):
    """No form could be converted, or none agrees; the message is the reason."""


def convert(
    estimator: Any,
    signature: Signature,
    dtypes: dict[str, str],
    expected: Callable[[OnnxEngine], tuple[Scores, Scores]],
) -> Graph:
    """Return the first graph whose predictions agree with the estimator's.

    Args:
        estimator: fitted.
        signature: of its version.
        dtypes: input → pandas dtype.
        expected: scores rows with a graph and returns what the estimator and the graph made
            of them.

    Raises:
        NotConvertedError: the estimator must be served natively.
    """
    reason = "no form of its inputs is known"
    for form, inputs in _forms(signature, dtypes):
        try:
            model = _converted(estimator, signature, inputs)
            engine = OnnxEngine(model, signature)
            native, graph = expected(engine)
        except Exception as error:
            reason = _short(error)
            continue
        if difference := first_difference(native, graph, exact=False):
            reason = f"its predictions differ: {difference}"
            continue
        return Graph(form, model, engine)
    raise NotConvertedError(f"Not served by ONNX: {reason}.")


def _converted(estimator: Any, signature: Signature, inputs: Form) -> bytes:
    import skl2onnx  # noqa: PLC0415  it is slow to import and optional

    options = {id(estimator): {"zipmap": False}} if signature.output.classes else None
    with warnings.catch_warnings():
        # Deprecations inside the converters are nothing a scientist could mend.
        warnings.simplefilter("ignore")
        graph = skl2onnx.convert_sklearn(estimator, initial_types=inputs, options=options)
    model: bytes = graph.SerializeToString()
    return model


def _forms(signature: Signature, dtypes: dict[str, str]) -> Iterator[tuple[str, Form]]:
    try:
        from skl2onnx.common import data_types as kinds  # noqa: PLC0415  slow and optional
    except ModuleNotFoundError:
        raise NotConvertedError("Not served by ONNX: skl2onnx is not installed.") from None
    columns = signature.inputs
    if any(c.type in {ColumnType.DATE, ColumnType.DATETIME} for c in columns):
        raise NotConvertedError("Not served by ONNX: it has dates or times among its inputs.")
    if all(c.type is ColumnType.FLOAT64 for c in columns):
        shape = [None, len(columns)]
        yield "doubles", [(MATRIX, kinds.DoubleTensorType(shape))]
        yield "floats", [(MATRIX, kinds.FloatTensorType(shape))]
    integers = kinds.Int64TensorType
    yield "columns", [(c.name, _kind(c, dtypes[c.name], kinds, integers)) for c in columns]
    if any(c.type is ColumnType.INT64 for c in columns):
        doubles = kinds.DoubleTensorType
        yield (
            "double columns",
            [(c.name, _kind(c, dtypes[c.name], kinds, doubles)) for c in columns],
        )


def _kind(column: Column, dtype: str, kinds: Any, integers: Any) -> Any:
    shape = [None, 1]
    if column.type in {ColumnType.STRING, ColumnType.CATEGORY}:
        return kinds.StringTensorType(shape)
    if dtype == "float64":
        return kinds.DoubleTensorType(shape)
    return kinds.BooleanTensorType(shape) if dtype == "bool" else integers(shape)


def _short(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:200]}"
