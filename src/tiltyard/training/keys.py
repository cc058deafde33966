"""The key of a run: what a version follows from, as one hash."""

import hashlib
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from tiltyard.types.base import digest


def run_key(
    notebook: str,
    modules: Mapping[str, str],
    parameters: Mapping[str, Any],
    environment: str,
    history: str | None,
) -> str:
    """Return SHA-256 of all that a trained version depends on.

    Args:
        notebook: digest of the notebook's code.
        modules: digests of the files beside it, by path.
        parameters: effective ones, so that a default given by name is the same run.
        environment: digest of the software: of the image, or of interpreter and distributions.
        history: digest of the data snapshot.
    """
    return digest(
        {
            "notebook": notebook,
            "modules": dict(modules),
            "parameters": dict(parameters),
            "environment": environment,
            "history": history,
        }
    )


def notebook_digest(notebook: Any) -> str:
    """Return SHA-256 of a notebook's code and its cells' tags; outputs and prose are left out."""
    code = [
        [cell.source, sorted(cell.metadata.get("tags", []))]
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.source.strip()
    ]
    kernel = notebook.metadata.get("kernelspec", {}).get("name")
    return digest({"kernel": kernel, "code": code})


def module_digests(folder: Path) -> dict[str, str]:
    """Return SHA-256 of the files beside a notebook, by path; notebooks are left out."""
    files = (path for path in folder.rglob("*") if path.is_file())
    kept = {path.relative_to(folder): path for path in files if path.suffix != ".ipynb"}
    return {
        name.as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in sorted(kept.items())
        if not any(part.startswith((".", "__pycache__")) for part in name.parts)
    }


def image_digest(image: str) -> str:
    """Return SHA-256 of an environment that is an image, by its id."""
    return digest({"image": image})


@cache
def environment_digest() -> str:
    """Return SHA-256 of the Python version and the names and versions of what is installed."""
    installed = {d.metadata["Name"].lower(): d.version for d in distributions()}
    return digest({"python": platform.python_version(), "installed": installed})
