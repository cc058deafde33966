"""The verbs of a notebook: ``tiltyard.write_history`` and so on.

Each finds control from the settings (see ``client.connect``). What is a list is a DataFrame.
"""

import os
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import pandas as pd

from tiltyard.client import follow
from tiltyard.client.connect import connect
from tiltyard.client.frames import to_batches, to_frame
from tiltyard.client.gateway import GatewayClient, Rows, gateway_client, json_rows
from tiltyard.errors import InvalidInputError, UnauthenticatedError
from tiltyard.settings import load_settings
from tiltyard.types.registry import (
    Deployment,
    HistorySnapshot,
    Promotion,
    Run,
    RunKind,
    RunRequest,
)

T = TypeVar("T")

CURRENT: Final = "current"
"""Promote whoever is champion now."""

RUN_HISTORY = "TILTYARD_RUN_HISTORY"
RUN_DIR = "TILTYARD_RUN_DIR"


def models() -> pd.DataFrame:
    """Return the models: name, task, champion, owner_group, target, description."""
    with connect() as control:
        found = control.models()
    rows = [
        {
            "name": m.name,
            "task": str(m.task),
            "champion": m.champion,
            "owner_group": m.owner_group,
            "target": m.call_schema.target,
            "description": m.description,
        }
        for m in found
    ]
    names = ["name", "task", "champion", "owner_group", "target", "description"]
    return pd.DataFrame(rows, columns=names).astype({"champion": "Int64"})


def versions(model: str) -> pd.DataFrame:
    """Return a model's versions: version, engine, state, created_at, and a column a metric.

    ``state`` is champion, the state of the deployment, retired, or empty.
    """
    with connect() as control:
        champion = control.model(model).champion
        states = {d.version: str(d.state) for d in control.deployments(model)}
        found = control.versions(model)
    if champion is not None:
        states[champion] = "champion"
    rows = [
        {
            "version": v.version,
            "engine": v.manifest.engine,
            "state": "retired" if v.retired else states.get(v.version, ""),
            "created_at": v.created_at,
            "parameters": v.manifest.parameters,
            **{k: m for k, m in v.manifest.metrics.items() if isinstance(m, int | float)},
        }
        for v in found
    ]
    return pd.DataFrame(rows)


def write_history(
    model: str,
    frame: pd.DataFrame,
    *,
    target: str,
    task: str,
    event_time: str | None = None,
    owner_group: str | None = None,
) -> HistorySnapshot:
    """Write a model's history: the columns applications send, the target, perhaps event times.

    The model is made if it is new; otherwise its call schema widens by new columns.

    Args:
        model: its name: lower-case letters, digits, ``_`` and ``-``.
        frame: the rows, in the order of their time; the index is left out.
        target: name of the column to predict.
        task: ``regression`` or ``classification``.
        event_time: name of the column of aware times that says when a row happened.
        owner_group: whose model a new one is.

    Raises:
        InvalidInputError: a column that cannot be kept exactly, named.
    """
    schema, batches = to_batches(frame)
    with connect() as control:
        snapshot = control.put_history(
            model,
            schema,
            batches,
            task=task,
            target=target,
            event_time=event_time,
            owner_group=owner_group,
        )
    if run_dir := os.environ.get(RUN_DIR):
        (Path(run_dir) / "history.json").write_text(snapshot.model_dump_json())
    return snapshot


def read_history(
    model: str,
    *,
    start: datetime | str | None = None,
    end: datetime | str | None = None,
    digest: str | None = None,
    columns: Iterable[str] | None = None,
) -> pd.DataFrame:
    """Return a model's history as it was written.

    Within a run it is the snapshot that the run was given, otherwise the latest one.

    Args:
        model: its name.
        start: rows of this event time or later.
        end: rows of an earlier event time than this.
        digest: of the snapshot.
        columns: those wanted.
    """
    with connect() as control:
        digest = digest or os.environ.get(RUN_HISTORY) or control.history(model).digest
        event_time = control.model(model).call_schema.event_time
        wanted = None if columns is None else list(columns)
        asked = _with_event_time(wanted, event_time, cut=start is not None or end is not None)
        frame = to_frame(control.read_history(model, digest, asked))
    frame = _between(frame, model, event_time, _instant(start), _instant(end))
    frame.attrs["history_digest"] = digest
    return frame if wanted is None else frame[wanted]


def deploy_version(
    model: str,
    version: int,
    *,
    replicas: int = 1,
    engine: str | None = None,
    size: str = "small",
    wait: bool = True,
    timeout_s: float = 120.0,
) -> Deployment:
    """Run a version as a challenger; with ``wait`` until its scorers are healthy.

    Args:
        model: a model's name.
        version: one of its versions.
        replicas: scorers.
        engine: instead of the version's own.
        size: class of what each scorer may use: ``small``, ``medium`` or ``large``.
        wait: until all scorers have repeated the golden rows.
        timeout_s: seconds to wait.

    Raises:
        ConflictError: its golden rows were not repeated, or it did not start.
        TimedOutError: it is not healthy in time.
    """
    with connect() as control:
        deployment = control.deploy(model, version, replicas, engine, size)
        return follow.until_healthy(control, deployment, timeout_s) if wait else deployment


def promote_version(
    model: str, version: int, reason: str, expected_champion: int | str | None = CURRENT
) -> Promotion:
    """Make a deployed version champion.

    Args:
        model: its name.
        version: who is to answer.
        reason: why; the ledger keeps it.
        expected_champion: who must be champion now (None for nobody); ``"current"`` for
            whoever is.

    Returns:
        With ``waiting_for`` empty, the old champion answers no more.

    Raises:
        LostRaceError: somebody else changed the champion.
    """
    with connect() as control:
        if expected_champion == CURRENT:
            expected_champion = control.model(model).champion
        return control.promote(model, version, _version(expected_champion), reason)


def rollback(model: str, reason: str) -> Promotion:
    """Make the champion before this one champion again."""
    with connect() as control:
        return control.rollback(model, reason)


def retire_version(model: str, version: int) -> Deployment:
    """Take a version's deployment away."""
    with connect() as control:
        return control.retire(model, version)


def run_training(
    pipeline: str,
    *,
    model: str | None = None,
    wait: bool = True,
    timeout_s: float = 3600.0,
    force: bool = False,
    deploy: bool = False,
    **parameters: Any,
) -> Run:
    """Execute a pipeline's ``train.ipynb`` with parameters and register what it logs.

    Args:
        pipeline: folder of the pipelines.
        model: of another name than the pipeline.
        wait: print progress by cells and return the ended run.
        timeout_s: seconds after which the run is killed.
        force: run even when the same run has succeeded before.
        deploy: deploy the version as a challenger.
        **parameters: of the notebook.

    Raises:
        TiltyardError: the run failed.
    """
    request = RunRequest(
        kind=RunKind.TRAIN,
        pipeline=pipeline,
        model=model or pipeline,
        parameters=parameters,
        timeout_s=timeout_s,
        force=force,
        deploy=deploy,
    )
    with connect() as control:
        run = control.request_run(request)
        return follow.until_ended(control, run) if wait else run


def predict_model(model: str, rows: Rows) -> pd.DataFrame:
    """Ask the champion through the gateway, as an application does; the calls are logged.

    Returns:
        A row each: ``id`` (for ``send_actuals``), ``value``, ``version`` and, of a
        classifier, ``probabilities``. The index is the rows'.
    """
    settings = load_settings()
    asked = json_rows(rows)
    answers = _as_application(
        model,
        lambda gateway: [
            gateway.predict(model, part) for part in _parts(asked, settings.gateway.max_rows)
        ],
    )
    predictions = [
        {**prediction, "version": answer["version"]}
        for answer in answers
        for prediction in answer["predictions"]
    ]
    index = rows.index if isinstance(rows, pd.DataFrame) else None
    return pd.DataFrame(predictions, index=index)


def send_actuals(model: str, actuals: Rows) -> int:
    """Send the ground truth of earlier predictions: ``id``, ``value``, perhaps ``known_at``.

    Returns:
        How many were accepted.
    """
    settings = load_settings()
    sent = json_rows(actuals)

    def send(gateway: GatewayClient) -> int:
        for part in _parts(sent, settings.gateway.max_rows):
            gateway.send_actuals(model, part)
        return len(sent)

    return _as_application(model, send)


def _as_application(model: str, call: Callable[[GatewayClient], T]) -> T:
    settings = load_settings()
    with connect(settings) as control:
        try:
            with gateway_client(settings, control, model) as gateway:
                return call(gateway)
        except UnauthenticatedError:
            if settings.client.application_token:
                raise
            with gateway_client(settings, control, model, fresh=True) as gateway:
                return call(gateway)


def _parts(rows: list[dict[str, Any]], size: int) -> Iterable[list[dict[str, Any]]]:
    return (rows[i : i + size] for i in range(0, len(rows), size)) if rows else [rows]


def _version(expected: int | str | None) -> int | None:
    if isinstance(expected, str):
        raise InvalidInputError(
            f"expected_champion is a version, None or {CURRENT!r}, not {expected!r}."
        )
    return expected


def _with_event_time(
    wanted: list[str] | None, event_time: str | None, *, cut: bool
) -> list[str] | None:
    if wanted is None or not cut or event_time is None or event_time in wanted:
        return wanted
    return [*wanted, event_time]


def _between(
    frame: pd.DataFrame,
    model: str,
    event_time: str | None,
    start: pd.Timestamp | None,
    end: pd.Timestamp | None,
) -> pd.DataFrame:
    if start is None and end is None:
        return frame
    if event_time is None:
        raise InvalidInputError(f"The history of {model!r} has no event time to cut it by.")
    at = frame[event_time]
    keep = pd.Series(data=True, index=frame.index)
    if start is not None:
        keep &= at >= start
    if end is not None:
        keep &= at < end
    return frame[keep].reset_index(drop=True)


def _instant(at: datetime | str | None) -> pd.Timestamp | None:
    if at is None:
        return None
    instant = pd.Timestamp(at)
    # A date or time without a zone is meant as UTC here: it only cuts, nothing is written.
    return instant.tz_localize("UTC") if instant.tz is None else instant.tz_convert("UTC")
