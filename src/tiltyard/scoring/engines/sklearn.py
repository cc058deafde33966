"""The native engine: a scikit-learn estimator on a DataFrame, in this process."""

import sys
from pathlib import Path
from typing import Any, ClassVar, Self

import joblib
import numpy as np

from tiltyard.scoring.engines.base import Engine, LoadError, Scores
from tiltyard.scoring.engines.pandas_frames import FrameBuilder
from tiltyard.scoring.frames import Value
from tiltyard.types.registry import VersionManifest
from tiltyard.types.schema import Label, Signature

MODEL_FILE = "model.joblib"
CODE = "code"


class SklearnEngine(Engine):
    """Scores by ``predict`` and, if the signature has probabilities, ``predict_proba``.

    Args:
        estimator: a fitted one; it is made single-threaded, so that sums keep their order.
        signature: of its version.
        dtypes: input → pandas dtype that the estimator saw at training.
    """

    name: ClassVar[str] = "sklearn"

    def __init__(self, estimator: Any, signature: Signature, dtypes: dict[str, str]) -> None:
        self._estimator = estimator
        self._output = signature.output
        self._frames = FrameBuilder(signature, dtypes)
        make_single_threaded(estimator)

    @classmethod
    def load(cls, folder: Path, manifest: VersionManifest) -> Self:
        """Unpickle ``model.joblib`` with the version's ``code/`` on the path."""
        path = folder / MODEL_FILE
        # The folder is read-only by contract, also where its permissions do not hold (root).
        sys.dont_write_bytecode = True
        if (folder / CODE).is_dir():
            sys.path.insert(0, str(folder / CODE))
        try:
            estimator = joblib.load(path)
        except Exception as error:  # unpickling runs the model's own code, which may raise anything
            raise LoadError(_explain(path, error)) from error
        return cls(estimator, manifest.signature, manifest.dtypes)

    def score(self, n: int, numeric: bytes, others: list[list[Any]]) -> Scores:
        """Score rows; what the estimator raises comes through."""
        frame = self._frames.build(n, numeric, others)
        predicted = np.asarray(self._estimator.predict(frame)).reshape(n)
        if self._output.classes is None:
            return Scores(predicted.astype(np.float64))
        labels: list[Value] = [plain_label(v) for v in predicted.tolist()]
        if not self._output.probabilities:
            return Scores(labels)
        return Scores(labels, np.asarray(self._estimator.predict_proba(frame), dtype=np.float64))


def plain_label(value: Any) -> Label:
    """Return a class as it stands in JSON; 1.0 is 1."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, str):
        return str(value)
    return int(value)


def make_single_threaded(estimator: Any) -> None:
    """Set every ``n_jobs`` of an estimator and its parts to 1."""
    names = [name for name in estimator.get_params() if name.split("__")[-1] == "n_jobs"]
    estimator.set_params(**dict.fromkeys(names, 1))


def _explain(path: Path, error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return (
            f"{path} needs the module {error.name!r}, which is not installed here: log the model "
            f"with code=[…] naming it, or install it where the scorers run."
        )
    return f"{path} cannot be loaded: {type(error).__name__}: {error}"
