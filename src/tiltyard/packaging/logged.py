"""What becomes of a model that a notebook logs, in whichever language."""

import os
import shutil
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import pandas as pd

from tiltyard.client.connect import connect
from tiltyard.client.verbs import RUN_DIR, RUN_HISTORY, read_history
from tiltyard.errors import (
    ConflictError,
    ControlAwayError,
    InvalidInputError,
    NotFoundError,
    UnauthenticatedError,
)
from tiltyard.packaging.handover import check_in_scorer, upload_folder
from tiltyard.packaging.options import Options
from tiltyard.types.registry import Model, Provenance, VersionManifest
from tiltyard.types.schema import CallSchema, Task

IMAGE = "TILTYARD_IMAGE"
"""Environment variable: id of the image that this process runs in."""

FOLDER = "version"
"""Name of a version's folder below the run's."""

DIGEST = "history_digest"
"""Attribute by which a frame that was read says of which snapshot it is."""


@dataclass(frozen=True)
class LoggedVersion:
    """What became of a model.

    Attributes:
        model: its name.
        version: its number; None in a run, which registers it when the notebook has ended.
        manifest: signature, engine, metrics and the rest.
        folder: where it was written; None when it was uploaded.
    """

    model: str
    version: int | None
    manifest: VersionManifest = field(repr=False)
    folder: Path | None = None

    @property
    def metrics(self) -> dict[str, Any]:
        """Metrics on the hold-out."""
        return self.manifest.metrics


class Build(Protocol):
    """Makes a version's folder."""

    def __call__(
        self,
        folder: Path,
        frame: pd.DataFrame,
        options: Options,
        *,
        history: pd.DataFrame | None,
        calls: CallSchema | None,
        provenance: Provenance,
    ) -> VersionManifest:
        """Write the folder, which is not there yet, and return its manifest."""
        ...


def log_version(
    build: Build,
    history: pd.DataFrame | None,
    *,
    model: str,
    target: str | None,
    task: Task | str | None,
    event_time: str | None,
    check: bool,
    **more: Any,
) -> LoggedVersion:
    """Build a version: in a run for the runner, else straight at control.

    Args:
        build: makes its folder.
        history: rows to learn from; by default the model's history.
        model: name of the model.
        target: by default the model's.
        task: by default the model's.
        event_time: by default the model's.
        check: try the version in a scorer of its own before it is handed over.
        **more: further `Options`.

    Raises:
        InvalidInputError: saying what cannot be used and what to do.
        ConflictError: this run has logged a version already.
        TiltyardError: a scorer does not repeat the predictions.
    """
    run_dir = os.environ.get(RUN_DIR)
    with ExitStack() as stack:
        place = Path(run_dir or stack.enter_context(TemporaryDirectory(prefix="tiltyard-")))
        if (place / FOLDER).exists():
            raise ConflictError(
                "This run has logged a version already: a run makes one. Call log_model once, at "
                "the end of the notebook."
            )
        known = _known(model, needed=target is None or task is None)
        frame = read_history(model) if history is None else history
        snapshot = _snapshot(model, frame, known)
        options = Options(
            model=model,
            target=target or _target(model, known),
            task=task or (known.task if known else None),
            event_time=event_time or (known.call_schema.event_time if known else None),
            **more,
        )
        partial = _emptied(place / f"{FOLDER}.partial")
        manifest = build(
            partial,
            frame,
            options,
            history=snapshot,
            calls=known.call_schema if known else None,
            provenance=Provenance(history_digest=_digest(snapshot), image=os.environ.get(IMAGE)),
        )
        if check:
            check_in_scorer(partial)
        folder = partial.rename(place / FOLDER)
        if run_dir:
            return LoggedVersion(model, None, manifest, folder)
        return LoggedVersion(model, upload_folder(model, folder), manifest)


def _known(model: str, *, needed: bool) -> Model | None:
    """Return the model as control knows it; None if it need not be known and control is away."""
    try:
        with connect() as control:
            return control.model(model)
    except (ControlAwayError, UnauthenticatedError):
        if needed:
            raise
        return None


def _target(model: str, known: Model | None) -> str:
    if known is None:
        raise InvalidInputError(f"Give target=…: control does not say what {model!r} predicts.")
    return known.call_schema.target


def _snapshot(model: str, frame: pd.DataFrame, known: Model | None) -> pd.DataFrame | None:
    """Return the whole history of which the frame is a part, with its digest in its attrs."""
    if known is None:
        return None
    digest = frame.attrs.get(DIGEST) or os.environ.get(RUN_HISTORY)
    try:
        return read_history(model, digest=digest)
    except NotFoundError:
        if digest is None:
            return None
        raise


def _digest(snapshot: pd.DataFrame | None) -> str | None:
    return None if snapshot is None else snapshot.attrs.get(DIGEST)


def _emptied(folder: Path) -> Path:
    # An earlier call may have failed half-way.
    shutil.rmtree(folder, ignore_errors=True)
    return folder
