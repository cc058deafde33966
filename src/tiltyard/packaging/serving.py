"""Decides by which engine a fitted estimator is served."""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from tiltyard.packaging.onnx import Graph, NotConvertedError, convert
from tiltyard.packaging.probes import unseen_rows
from tiltyard.packaging.scores import score_known
from tiltyard.scoring.engines.base import Engine, Scores
from tiltyard.scoring.engines.onnx import OnnxEngine
from tiltyard.scoring.engines.sklearn import SklearnEngine
from tiltyard.types.schema import Signature


class Served(NamedTuple):
    """A fitted estimator behind its engines.

    Attributes:
        native: always there.
        graph: the same as ONNX, if it agrees with the native one on every row.
        note: why there is no graph.
    """

    native: SklearnEngine
    graph: Graph | None
    note: str = ""

    @property
    def engine(self) -> Engine:
        """The engine that serves."""
        return self.native if self.graph is None else self.graph.engine


def serve(
    estimator: Any,
    signature: Signature,
    dtypes: dict[str, str],
    rows: pa.Table,
    form: str | None = None,
) -> Served:
    """Convert an estimator to ONNX if that changes no prediction.

    Args:
        estimator: fitted.
        signature: of its version.
        dtypes: input → pandas dtype.
        rows: a table of inputs, the history: the engines must agree on each of its rows and on
            a row of each category with a level never seen.
        form: of the graph's inputs, if only one comes into question.
    """
    native = SklearnEngine(estimator, signature, dtypes)
    probes = unseen_rows(signature, rows.slice(0, 1))
    table = pa.concat_tables([rows, *probes])
    truth = score_known(native, signature, table)

    def compare(graph: OnnxEngine) -> tuple[Scores, Scores]:
        known = _is_known(truth)
        return _only(truth, known), _only(score_known(graph, signature, table), known)

    try:
        return Served(native, convert(estimator, signature, dtypes, compare, form))
    except NotConvertedError as reason:
        return Served(native, None, str(reason))


def _is_known(scores: Scores) -> Any:
    return np.array([v is not None and v == v for v in scores.values])  # noqa: PLR0124  NaN


def _only(scores: Scores, rows: Any) -> Scores:
    values = [v for v, wanted in zip(scores.values, rows, strict=True) if wanted]
    numbers = isinstance(scores.values, np.ndarray)
    chances = scores.probabilities
    return Scores(
        np.array(values, dtype=np.float64) if numbers else values,
        None if chances is None else chances[rows],
    )
