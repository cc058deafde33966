"""Engines by name; each is imported only when it is asked for."""

from importlib import import_module
from pathlib import Path
from typing import cast

from tiltyard.errors import NotFoundError
from tiltyard.scoring.engines.base import Engine
from tiltyard.types.registry import VersionManifest

ENGINES = {
    "sklearn": "tiltyard.scoring.engines.sklearn:SklearnEngine",
    "onnx": "tiltyard.scoring.engines.onnx:OnnxEngine",
    "r": "tiltyard.scoring.engines.r.engine:REngine",
}

EXACT = frozenset({"sklearn", "r"})
"""Engines that must repeat the training process's predictions to the bit."""


def engine_class(name: str) -> type[Engine]:
    """Return the engine of a name.

    Raises:
        NotFoundError: listing the engines there are.
    """
    if name not in ENGINES:
        raise NotFoundError("engine", name, sorted(ENGINES))
    module, _, attribute = ENGINES[name].partition(":")
    return cast("type[Engine]", getattr(import_module(module), attribute))


def load_engine(name: str, folder: Path, manifest: VersionManifest) -> Engine:
    """Load a version's model into the engine of that name."""
    return engine_class(name).load(folder, manifest)
