"""What a manifest tells besides the model: parameters, libraries, the range of training."""

import importlib.metadata
import platform
from collections.abc import Mapping
from typing import Any

import pandas as pd
from sklearn.pipeline import Pipeline

from tiltyard.errors import InvalidInputError
from tiltyard.types.base import canonical_json
from tiltyard.types.registry import Provenance

PLAIN = bool | int | float | str | None

LIBRARIES = ("tiltyard", "scikit-learn", "numpy", "pandas", "joblib", "onnxruntime", "skl2onnx")


def plain_parameters(estimator: Any, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the parameters that were given, else the plain ones of the (last) estimator.

    Raises:
        InvalidInputError: naming one that JSON cannot hold.
    """
    if given is None:
        last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
        found = {k: v for k, v in last.get_params(deep=False).items() if isinstance(v, PLAIN)}
        return {k: None if v != v else v for k, v in found.items()}  # noqa: PLR0124  NaN
    for name, value in given.items():
        try:
            canonical_json(value)
        except (TypeError, ValueError):
            raise InvalidInputError(
                f"Parameter {name!r} is {value!r}, which JSON cannot hold: give it as text."
            ) from None
    return dict(given)


def libraries() -> dict[str, str]:
    """Return the versions of Python and of the libraries on which predictions depend."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def with_range(provenance: Provenance, times: "pd.Series[Any] | None") -> Provenance:
    """Return the provenance with the first and the last event time of the training."""
    if times is None:
        return provenance
    utc = times.dt.tz_convert("UTC")
    return provenance.model_copy(
        update={
            "train_start": utc.min().to_pydatetime(),
            "train_end": utc.max().to_pydatetime(),
        }
    )
