"""Tiltyard: machine learning models from the notebook to production, on premise.

The verbs a notebook needs are attributes of this package and load on first use::

    import tiltyard
    frame = tiltyard.read_lake("SELECT * FROM bikeshare")
    tiltyard.write_history("bikeshare", frame, target="bikers", task="regression")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tiltyard.client.verbs import (
        deploy_version,
        models,
        predict_model,
        promote_version,
        read_history,
        retire_version,
        rollback,
        run_training,
        send_actuals,
        versions,
        write_history,
    )
    from tiltyard.lake import read_lake
    from tiltyard.packaging.log_model import log_model

_HOMES = {
    "deploy_version": "tiltyard.client.verbs",
    "log_model": "tiltyard.packaging.log_model",
    "models": "tiltyard.client.verbs",
    "predict_model": "tiltyard.client.verbs",
    "promote_version": "tiltyard.client.verbs",
    "read_history": "tiltyard.client.verbs",
    "read_lake": "tiltyard.lake",
    "retire_version": "tiltyard.client.verbs",
    "rollback": "tiltyard.client.verbs",
    "run_training": "tiltyard.client.verbs",
    "send_actuals": "tiltyard.client.verbs",
    "versions": "tiltyard.client.verbs",
    "write_history": "tiltyard.client.verbs",
}

__all__ = [
    "__version__",
    "deploy_version",
    "log_model",
    "models",
    "predict_model",
    "promote_version",
    "read_history",
    "read_lake",
    "retire_version",
    "rollback",
    "run_training",
    "send_actuals",
    "versions",
    "write_history",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'tiltyard' has no attribute {name!r}")
