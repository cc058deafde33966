"""The ONNX engine: ONNX Runtime on one thread, without pandas and scikit-learn."""

from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import onnxruntime

from tiltyard.scoring.engines.base import Engine, LoadError, Scores
from tiltyard.scoring.engines.columns import BatchColumns
from tiltyard.types.registry import VersionManifest
from tiltyard.types.schema import Label, Signature

MODEL_FILE = "model.onnx"
_DTYPES = {
    "tensor(double)": np.float64,
    "tensor(float)": np.float32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


class OnnxEngine(Engine):
    """Scores by an ONNX graph.

    The graph has one n x k input for all inputs of a signature, which are numbers or bools then,
    or one n x 1 input for each column, of its name. Missing text is the empty text. A classifier's
    outputs are labels and an n x classes tensor of probabilities.

    Args:
        model: the serialized graph.
        signature: of its version.
    """

    name: ClassVar[str] = "onnx"

    def __init__(self, model: bytes, signature: Signature) -> None:
        self._session = _session(model)
        self._columns = BatchColumns(signature)
        self._inputs = {i.name: i.type for i in self._session.get_inputs()}
        self._names = [o.name for o in self._session.get_outputs()]
        classes = signature.output.classes
        self._classes: dict[Any, Label] | None = (
            None if classes is None else {c: c for c in classes}
        )
        self._order = [c.name for c in signature.inputs]
        self._whole = _whole_matrix(self._session, len(signature.inputs))

    @classmethod
    def load(cls, folder: Path, manifest: VersionManifest) -> Self:
        """Read ``model.onnx``."""
        path = folder / MODEL_FILE
        try:
            return cls(path.read_bytes(), manifest.signature)
        except FileNotFoundError:
            raise LoadError(
                f"This version has no {MODEL_FILE}: {manifest.engine_note or 'no reason is noted'}."
            ) from None

    def score(self, n: int, numeric: bytes, others: list[list[Any]]) -> Scores:
        """Score rows; what ONNX Runtime raises comes through."""
        outputs = self._session.run(self._names, self._feeds(n, numeric, others))
        if self._classes is None:
            return Scores(np.asarray(outputs[0], dtype=np.float64).reshape(n))
        labels = [self._classes[label] for label in np.asarray(outputs[0]).reshape(n).tolist()]
        return Scores(labels, np.asarray(outputs[1], dtype=np.float64).reshape(n, -1))

    def _feeds(self, n: int, numeric: bytes, others: list[list[Any]]) -> dict[str, Any]:
        matrix = self._columns.matrix(n, numeric)
        columns: dict[str, Any] = self._columns.lists(others)
        if self._whole is not None and not columns:
            dtype = _DTYPES[self._inputs[self._whole]]
            return {self._whole: matrix.astype(dtype, copy=False)}
        columns |= {c.name: matrix[:, i] for i, c in enumerate(self._columns.numeric)}
        if self._whole is not None:
            kind = self._inputs[self._whole]
            return {self._whole: np.hstack([_tensor(columns[name], kind) for name in self._order])}
        return {name: _tensor(columns[name], kind) for name, kind in self._inputs.items()}


def _whole_matrix(session: Any, inputs: int) -> str | None:
    given = session.get_inputs()
    whole = len(given) == 1 and given[0].shape[1] == inputs
    return given[0].name if whole else None


def _tensor(values: Any, kind: str) -> Any:
    if kind == "tensor(string)":
        texts = ["" if v is None else v for v in values]
        return np.array(texts, dtype=object).reshape(-1, 1)
    if isinstance(values, list) and None in values:
        values = [np.nan if v is None else v for v in values]
    return np.asarray(values).astype(_DTYPES[kind], copy=False).reshape(-1, 1)


def _session(model: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own errors share no public class
        raise LoadError(f"{MODEL_FILE} cannot be loaded: {error}") from error
