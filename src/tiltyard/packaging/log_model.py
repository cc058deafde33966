"""``tiltyard.log_model``: what a training notebook ends with."""

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

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
from tiltyard.packaging.build import build_version
from tiltyard.packaging.code import Code
from tiltyard.packaging.handover import check_in_scorer, upload_folder
from tiltyard.packaging.options import Options
from tiltyard.types.registry import Model, Provenance, VersionManifest
from tiltyard.types.schema import Task

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


def log_model(
    estimator: Any,
    history: pd.DataFrame | None = None,
    *,
    model: str,
    target: str | None = None,
    task: Task | str | None = None,
    event_time: str | None = None,
    features: Sequence[str] | None = None,
    parameters: Mapping[str, Any] | None = None,
    holdout: float = 0.2,
    refit: bool = True,
    code: Iterable[Code] = (),
    unknown_levels: Mapping[str, str] | None = None,
    description: str = "",
    check: bool = True,
) -> LoggedVersion:
    """Make a version of an estimator: in a run for the runner, else straight at control.

    The estimator is cloned and fitted twice: on the earlier rows, for metrics on the later ones,
    and on all rows, for the version. Inputs reach it as float64, int64, bool, text, categories,
    dates and times with a zone; an int64 or bool column with missing values as float64.

    Args:
        estimator: a scikit-learn regressor, classifier or pipeline of one, fitted or not.
        history: rows with the inputs, the target and perhaps the event time; by default the
            model's history.
        model: name of the model.
        target: column to predict; by default the model's.
        task: ``regression`` or ``classification``; by default the model's.
        event_time: column of the rows' times; by default the model's. Without one, rows are in
            the order of their time.
        features: the inputs; by default those a fitted estimator names, else all columns but
            target and event time.
        parameters: to be shown with the version; by default the estimator's.
        holdout: share of the latest rows that metrics are computed on; 0 for none.
        refit: False keeps the fitted estimator as it is; the hold-out's is a clone all the same.
        code: modules, ``.py`` files or packages that the estimator needs and nobody installs.
        unknown_levels: category → ``refuse``, ``missing`` or ``pass``, for levels that were not
            in training; by default ``pass`` where the estimator copes, else ``refuse``.
        description: a text for people.
        check: try the version in a scorer of its own before it is handed over.

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
            features=features,
            parameters=parameters,
            holdout=holdout,
            refit=refit,
            code=code,
            unknown_levels=unknown_levels,
            description=description,
        )
        partial = _emptied(place / f"{FOLDER}.partial")
        provenance = Provenance(history_digest=_digest(snapshot), image=os.environ.get(IMAGE))
        manifest = build_version(
            partial,
            estimator,
            frame,
            options,
            history=snapshot,
            calls=known.call_schema if known else None,
            provenance=provenance,
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
