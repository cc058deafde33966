"""Converts scikit-learn estimators to ONNX, and judges whether the graph agrees with them.

The forms in which a graph can take its inputs are tried one after the other; the first whose
predictions agree is taken:

- ``doubles``, ``floats``: one matrix of all inputs, if they are all numbers (or bools).
- ``columns``: an input for each column, in its own type.
- ``double columns``, ``float columns``: likewise, with all numbers as doubles or floats.

Trees compare floats, so theirs are tried first; otherwise a matrix is, being faster.
"""

import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from sklearn.pipeline import Pipeline

from tiltyard.scoring.engines.base import Scores
from tiltyard.scoring.engines.onnx import OnnxEngine
from tiltyard.scoring.golden import first_difference
from tiltyard.types.schema import ColumnType, Signature

MATRIX = "inputs"
MATRIX_TYPES = {ColumnType.FLOAT64, ColumnType.INT64, ColumnType.BOOL}

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
    compare: Callable[[OnnxEngine], tuple[Scores, Scores]],
    form: str | None = None,
) -> Graph:
    """Return the first graph whose predictions agree with the estimator's.

    Args:
        estimator: fitted.
        signature: of its version.
        dtypes: input → pandas dtype.
        compare: scores rows with a graph and returns what the estimator and the graph made
            of them.
        form: the only one to try.

    Raises:
        NotConvertedError: the estimator must be served natively.
    """
    reasons: dict[str, None] = {}
    forms = list(_forms(signature, dtypes))
    if _is_of_trees(estimator):
        forms.sort(key=lambda named: not named[0].startswith("float"))
    for name, inputs in forms:
        if form not in {None, name}:
            continue
        try:
            model = _converted(estimator, signature, inputs)
            engine = OnnxEngine(model, signature)
            native, graph = compare(engine)
        except Exception as error:
            reasons[_short(error)] = None
            continue
        if difference := first_difference(native, graph, exact=False):
            reasons[f"its predictions differ: {difference}"] = None
            continue
        return Graph(name, model, engine)
    raise NotConvertedError(f"Not served by ONNX: {'; '.join(reasons)}.")


def _is_of_trees(estimator: Any) -> bool:
    last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    return type(last).__module__.startswith(("sklearn.tree", "sklearn.ensemble"))


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
    types = {c.type for c in columns}
    if types & {ColumnType.DATE, ColumnType.DATETIME}:
        raise NotConvertedError("Not served by ONNX: it has dates or times among its inputs.")
    doubles, floats = kinds.DoubleTensorType, kinds.FloatTensorType
    if types <= MATRIX_TYPES:
        yield "doubles", [(MATRIX, doubles([None, len(columns)]))]
        yield "floats", [(MATRIX, floats([None, len(columns)]))]
    own = {"float64": doubles, "int64": kinds.Int64TensorType, "bool": kinds.BooleanTensorType}
    text = dict.fromkeys(("str", "category"), kinds.StringTensorType)
    for name, numbers in (
        ("columns", own),
        ("double columns", dict.fromkeys(own, doubles)),
        ("float columns", dict.fromkeys(own, floats)),
    ):
        yield name, [(c.name, (numbers | text)[dtypes[c.name]]([None, 1])) for c in columns]


def _short(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:160].rstrip('.')}"
