"""``log_model`` of R: a model that R has fitted becomes a version."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from tiltyard.packaging.logged import log_version
from tiltyard.packaging.options import Options
from tiltyard.packaging.r.build import Fitted, build_r_version
from tiltyard.packaging.r.reading import RTable
from tiltyard.types.registry import VersionManifest


def log_model(
    table: RTable,
    *,
    folder: str,
    model: str,
    target: str | None = None,
    task: str | None = None,
    event_time: str | None = None,
    digest: str | None = None,
    libraries: Mapping[str, str],
    check: bool = True,
    **options: Any,
) -> dict[str, Any]:
    """Make a version of what lies in a folder; see `log_version` for the rest.

    Args:
        table: the rows that R fitted on.
        folder: with ``model.rds``, ``earlier/model.rds`` and ``code/``.
        model: name of the model.
        target: column to predict; by default the model's.
        task: by default the model's.
        event_time: column of the rows' times; by default the model's.
        digest: of the snapshot that the rows are from, as ``read_history`` told it.
        libraries: name → version of R and of the packages that the model needs.
        check: try the version in a scorer of its own.
        **options: further `Options`.
    """
    frame = table.frame
    if digest:
        frame.attrs["history_digest"] = digest
    fitted = Fitted(Path(folder), table.types, dict(libraries))

    def build(folder: Path, frame: pd.DataFrame, options: Options, **known: Any) -> VersionManifest:
        return build_r_version(fitted, folder, frame, options, **known)

    logged = log_version(
        build,
        frame,
        model=model,
        target=target,
        task=task,
        event_time=event_time,
        check=check,
        **options,
    )
    return {
        "model": logged.model,
        "version": logged.version,
        "metrics": logged.metrics,
        "folder": None if logged.folder is None else str(logged.folder),
        "signature": logged.manifest.signature.model_dump(mode="json"),
    }
