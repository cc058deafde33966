"""Deployments: versions that run, or are to run; what reconcilers read and report."""

import builtins
import json
import secrets
from pathlib import Path

from sqlalchemy import Connection, insert, select, update

from tiltyard.errors import ConflictError, InvalidInputError, NotFoundError
from tiltyard.registry.clock import now
from tiltyard.registry.database import Database, next_route
from tiltyard.registry.events import record
from tiltyard.registry.reading import (
    find_deployments,
    find_model,
    find_version,
    to_deployment,
)
from tiltyard.registry.tables import deployments
from tiltyard.types.registry import Deployment, DeploymentState, Size

MAX_SOCKET_BYTES = 100
"""A unix socket's path may have 107; some are left to who mounts it elsewhere."""
LIVE = (DeploymentState.STARTING, DeploymentState.HEALTHY)


class Deployments:
    """The deployments of versions; at most one of a version is starting or healthy."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        model: str,
        version: int,
        runtime: str,
        replicas: int,
        engine: str,
        endpoints_base: Path,
        created_by: str,
        size: Size = Size.SMALL,
    ) -> Deployment:
        """Record that a version is to run; endpoints are ``unix:<base>/<id>/<n>/s.sock``.

        Raises:
            NotFoundError: there is no such model, or no such version of it.
            InvalidInputError: no replicas, or a base folder too long for a socket.
            ConflictError: the version is retired, or is deployed already.
        """
        id_ = secrets.token_hex(4)
        endpoints = _endpoints(endpoints_base, id_, replicas)
        with self._database.write() as connection:
            if find_version(connection, model, version).retired:
                raise ConflictError(f"{model} version {version} is retired: log it anew.")
            _refuse_second(connection, model, version, id_)
            values = {
                "id": id_,
                "model": model,
                "version": version,
                "runtime": runtime,
                "replicas": replicas,
                "engine": engine,
                "state": DeploymentState.STARTING.value,
                "endpoints": json.dumps(endpoints),
                "size": size.value,
                "created_at": now(),
                "created_by": created_by,
            }
            connection.execute(insert(deployments).values(values))
            return _told(connection, id_)

    def get(self, id: str) -> Deployment:  # noqa: A002  the document's own word
        """Return a deployment.

        Raises:
            NotFoundError: there is no such deployment.
        """
        with self._database.read() as connection:
            return _find(connection, id)

    def list(self, model: str | None = None, live_only: bool = False) -> builtins.list[Deployment]:
        """Return deployments in the order in which they were made."""
        query = select(deployments).order_by(deployments.c.number)
        if model is not None:
            query = query.where(deployments.c.model == model)
        if live_only:
            query = query.where(deployments.c.state.in_([state.value for state in LIVE]))
        with self._database.read() as connection:
            return [to_deployment(row) for row in connection.execute(query).mappings()]

    def set_state(
        self,
        id: str,  # noqa: A002  the document's own word
        state: DeploymentState,
        reason: str | None = None,
    ) -> Deployment:
        """Set what a reconciler found; the same state and reason again change nothing.

        Raises:
            NotFoundError: there is no such deployment.
            ConflictError: it is retired, or is to run beside another one of its version.
        """
        with self._database.write() as connection:
            found = _find(connection, id)
            if (found.state, found.reason) == (state, reason):
                return found
            if found.state is DeploymentState.RETIRED:
                raise ConflictError(f"Deployment {id} is retired and stays so: deploy anew.")
            if state is DeploymentState.RETIRED:
                _refuse_champion(connection, found.model, found.version)
            if state in LIVE:
                _refuse_second(connection, found.model, found.version, id)
            return _set(connection, found, state, reason)

    def move(self, runtime: str) -> None:
        """Let what is deployed run on a runtime from now on; it starts anew there."""
        live = deployments.c.state.in_([state.value for state in LIVE])
        elsewhere = deployments.c.runtime != runtime
        with self._database.write() as connection:
            connection.execute(update(deployments).where(live, elsewhere).values(runtime=runtime))

    def retire(self, model: str, version: int) -> Deployment:
        """Retire all deployments of a version; return the newest.

        Raises:
            NotFoundError: there is no such version, or it is not deployed.
            ConflictError: it is the champion.
        """
        with self._database.write() as connection:
            find_version(connection, model, version)
            _refuse_champion(connection, model, version)
            retired = retire_all(connection, model, version)
            if not retired:
                raise NotFoundError("deployment of", f"{model} version {version}")
            return retired[0]


def retire_all(connection: Connection, model: str, version: int) -> list[Deployment]:
    """Retire what is not retired yet in the caller's transaction, the newest first."""
    state = DeploymentState.RETIRED
    found = find_deployments(connection, model, version)
    return [_set(connection, d, state, d.reason) for d in found if d.state is not state]


def _set(
    connection: Connection, old: Deployment, state: DeploymentState, reason: str | None
) -> Deployment:
    values = {"state": state.value, "reason": reason}
    connection.execute(update(deployments).where(deployments.c.id == old.id).values(values))
    if (old.state is DeploymentState.HEALTHY) != (state is DeploymentState.HEALTHY):
        next_route(connection)
    return _told(connection, old.id)


def _told(connection: Connection, id_: str) -> Deployment:
    found = _find(connection, id_)
    data = {"deployment": id_, "version": found.version, "reason": found.reason}
    record(connection, f"deployment.{found.state.value}", found.model, data)
    return found


def _find(connection: Connection, id_: str) -> Deployment:
    query = select(deployments).where(deployments.c.id == id_)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFoundError("deployment", id_)
    return to_deployment(row)


def _refuse_second(connection: Connection, model: str, version: int, id_: str) -> None:
    for other in find_deployments(connection, model, version):
        if other.state in LIVE and other.id != id_:
            raise ConflictError(
                f"{model} version {version} is deployed already (deployment {other.id}, "
                f"{other.state}): run `tiltyard retire {model} {version}` first.",
                deployment=other.id,
            )


def _refuse_champion(connection: Connection, model: str, version: int) -> None:
    if find_model(connection, model).champion == version:
        raise ConflictError(
            f"{model} version {version} is the champion and answers calls: "
            "promote another version first."
        )


def _endpoints(base: Path, id_: str, replicas: int) -> list[str]:
    if replicas < 1:
        raise InvalidInputError(f"{replicas} replicas cannot answer: give at least 1.")
    sockets = [base.absolute() / id_ / str(number) / "s.sock" for number in range(replicas)]
    longest = max(len(str(socket).encode()) for socket in sockets)
    if longest > MAX_SOCKET_BYTES:
        raise InvalidInputError(
            f"A socket below {base} would have a path of {longest} bytes, {MAX_SOCKET_BYTES} "
            "are possible: set `runtime_dir` to a shorter folder."
        )
    return [f"unix:{socket}" for socket in sockets]
