"""Runs: a queue of notebooks, claimed by runners that give signs of life."""

import builtins
import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from tiltyard.errors import ConflictError, NotFoundError
from tiltyard.registry.clock import instant, maybe_instant, now
from tiltyard.registry.database import Database
from tiltyard.registry.events import record
from tiltyard.registry.tables import runs, tokens
from tiltyard.types.registry import Run, RunProgress, RunRequest, RunState


class Runs:
    """Runs go from queued to running to an end; an ended run does not change."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def enqueue(self, request: RunRequest, requested_by: str, groups: Sequence[str] = ()) -> Run:
        """Queue a run.

        Args:
            request: what to run.
            requested_by: name of who asks.
            groups: in whose name it may change models.
        """
        with self._database.write() as connection:
            number = (connection.execute(select(func.max(runs.c.number))).scalar() or 0) + 1
            at = now()
            values = {
                "number": number,
                "id": f"{instant(at):%y%m%d}-{number:06d}",
                "request": request.model_dump_json(),
                "state": RunState.QUEUED.value,
                "progress": RunProgress().model_dump_json(),
                "attempt": 0,
                "requested_by": requested_by,
                "member_of": json.dumps(list(groups)),
                "created_at": at,
                "cancel_requested": False,
            }
            connection.execute(insert(runs).values(values))
            return _told(connection, str(values["id"]))

    def get(self, id: str) -> Run:  # noqa: A002  the document's own word
        """Return a run.

        Raises:
            NotFoundError: there is no such run.
        """
        with self._database.read() as connection:
            return _find(connection, id)

    def groups(self, id: str) -> tuple[str, ...]:  # noqa: A002  the document's own word
        """Return the groups in whose name a run may change models, the first one first.

        Raises:
            NotFoundError: there is no such run.
        """
        query = select(runs.c.member_of).where(runs.c.id == id)
        with self._database.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise NotFoundError("run", id)
        return tuple(json.loads(row[0] or "[]"))

    def list(self, state: RunState | None = None, limit: int = 100) -> builtins.list[Run]:
        """Return runs, the newest first."""
        query = select(runs).order_by(runs.c.number.desc()).limit(limit)
        if state is not None:
            query = query.where(runs.c.state == state.value)
        with self._database.read() as connection:
            return [_run(row) for row in connection.execute(query).mappings()]

    def by_key(self, key: str) -> Run | None:
        """Return the newest succeeded run of a key."""
        chosen = runs.c.run_key == key, runs.c.state == RunState.SUCCEEDED.value
        query = select(runs).where(*chosen).order_by(runs.c.number.desc()).limit(1)
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
            return None if row is None else _run(row)

    def claim(self, runner: str, lost_after_s: float) -> Run | None:
        """Take the oldest queued run; None if there is none.

        Before that, running ones without a heartbeat for ``lost_after_s`` seconds are ended:
        queued again while tries are left, else failed.
        """
        with self._database.write() as connection:
            _end_lost(connection, now() - int(lost_after_s * 1e6))
            queued = runs.c.state == RunState.QUEUED.value
            query = select(runs.c.id).where(queued).order_by(runs.c.number).limit(1)
            id_ = connection.execute(query).scalar()
            if id_ is None:
                return None
            _set(connection, id_, attempt=runs.c.attempt + 1, **_started(runner))
            return _told(connection, id_)

    def update(
        self,
        id: str,  # noqa: A002  the document's own word
        progress: RunProgress | None = None,
        state: RunState | None = None,
        version: int | None = None,
        history: str | None = None,
        error: str | None = None,
        key: str | None = None,
        attempt: int | None = None,
    ) -> Run:
        """Give a sign of life of a running run, and what is new of it.

        A failed run with tries left is queued again. ``attempt``, if given, must be the
        present one: a runner that was given up cannot speak for its successor.

        Raises:
            NotFoundError: there is no such run.
            ConflictError: the run is not running, or it is another attempt.
        """
        new = {"version": version, "history": history, "error": error, "run_key": key}
        values = {name: value for name, value in new.items() if value is not None}
        with self._database.write() as connection:
            old = _running(connection, id, attempt)
            if progress is not None and progress != old.progress:
                values["progress"] = progress.model_dump_json()
                record(connection, "run.progress", old.request.model, _progress(id, progress))
            _set(connection, id, heartbeat_at=now(), **values)
            if state is None or state is RunState.RUNNING:
                return _find(connection, id)
            return _end(connection, _find(connection, id), state)

    def cancel(self, id: str) -> Run:  # noqa: A002  the document's own word
        """Cancel a queued run at once; ask for it of a running one. An ended one stays.

        Raises:
            NotFoundError: there is no such run.
        """
        with self._database.write() as connection:
            run = _find(connection, id)
            if run.state is RunState.QUEUED:
                return _end(connection, run, RunState.CANCELLED)
            if run.state is RunState.RUNNING and not run.cancel_requested:
                _set(connection, id, cancel_requested=True)
                record(connection, "run.cancelling", run.request.model, {"run": id})
            return _find(connection, id)


def _end_lost(connection: Connection, before: int) -> None:
    lost = runs.c.state == RunState.RUNNING.value, runs.c.heartbeat_at < before
    query = select(runs).where(*lost).order_by(runs.c.number)
    for row in connection.execute(query).mappings().all():
        error = f"Its runner {row['runner']} gave no sign of life any more."
        _set(connection, row["id"], error=error)
        _end(connection, _find(connection, row["id"]), RunState.FAILED)


def _end(connection: Connection, run: Run, state: RunState) -> Run:
    if state is RunState.QUEUED:
        raise ConflictError(f"Run {run.id} is running: it cannot be queued.")
    # A run's tokens end with the attempt that they were made for.
    connection.execute(delete(tokens).where(tokens.c.run == run.id))
    if state is RunState.FAILED and run.cancel_requested:
        state = RunState.CANCELLED
    if state is RunState.FAILED and run.attempt <= run.request.retries:
        again = {"state": RunState.QUEUED.value, "progress": RunProgress().model_dump_json()}
        _set(connection, run.id, runner=None, heartbeat_at=None, **again)
    else:
        _set(connection, run.id, state=state.value, finished_at=now())
    return _told(connection, run.id)


def _running(connection: Connection, id_: str, attempt: int | None) -> Run:
    run = _find(connection, id_)
    if run.state is not RunState.RUNNING:
        raise ConflictError(f"Run {id_} is {run.state}: only a running run is updated.")
    if attempt not in {None, run.attempt}:
        raise ConflictError(f"Run {id_} is at attempt {run.attempt}, not {attempt} any more.")
    return run


def _started(runner: str) -> dict[str, Any]:
    at = now()
    state = RunState.RUNNING.value
    return {"state": state, "runner": runner, "started_at": at, "heartbeat_at": at}


def _set(connection: Connection, id_: str, **values: Any) -> None:
    connection.execute(update(runs).where(runs.c.id == id_).values(values))


def _told(connection: Connection, id_: str) -> Run:
    run = _find(connection, id_)
    kept = run.model_dump(mode="json", include={"version", "history", "error", "attempt"})
    data = {"run": id_, "kind": run.request.kind.value, **kept}
    record(connection, f"run.{run.state.value}", run.request.model, data)
    return run


def _progress(id_: str, progress: RunProgress) -> dict[str, Any]:
    return {"run": id_, **progress.model_dump()}


def _find(connection: Connection, id_: str) -> Run:
    row = connection.execute(select(runs).where(runs.c.id == id_)).mappings().first()
    if row is None:
        raise NotFoundError("run", id_)
    return _run(row)


def _run(row: RowMapping) -> Run:
    return Run(
        id=row["id"],
        request=RunRequest.model_validate_json(row["request"]),
        state=RunState(row["state"]),
        progress=RunProgress.model_validate_json(row["progress"]),
        key=row["run_key"],
        version=row["version"],
        history=row["history"],
        error=row["error"],
        attempt=row["attempt"],
        requested_by=row["requested_by"],
        created_at=instant(row["created_at"]),
        started_at=maybe_instant(row["started_at"]),
        heartbeat_at=maybe_instant(row["heartbeat_at"]),
        finished_at=maybe_instant(row["finished_at"]),
        cancel_requested=row["cancel_requested"],
    )
