"""``tiltyard.log_model``: what a training notebook ends with."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tiltyard.packaging.build import build_version
from tiltyard.packaging.code import Code
from tiltyard.packaging.logged import LoggedVersion, log_version
from tiltyard.packaging.options import Options
from tiltyard.types.registry import VersionManifest
from tiltyard.types.schema import Task


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

    def build(folder: Path, frame: pd.DataFrame, options: Options, **known: Any) -> VersionManifest:
        return build_version(folder, estimator, frame, options, **known)

    return log_version(
        build,
        history,
        model=model,
        target=target,
        task=task,
        event_time=event_time,
        check=check,
        features=features,
        parameters=parameters,
        holdout=holdout,
        refit=refit,
        code=code,
        unknown_levels=unknown_levels,
        description=description,
    )
