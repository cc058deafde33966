"""Runtime ``process``: scorers are children of ``tiltyard up``, listening on unix sockets."""

import contextlib
import os
import sys
from pathlib import Path

from tiltyard.deployers.base import Deployer, ReplicaStatus
from tiltyard.deployers.child import TAIL_BYTES, Program
from tiltyard.deployers.supervisor import Supervisor
from tiltyard.errors import InvalidInputError
from tiltyard.types.registry import Deployment

GRACE_S = 3.0
_UNIX = "unix:"


def socket_path(endpoint: str) -> Path:
    """Return the path of a ``unix:`` endpoint.

    Raises:
        InvalidInputError: if it is of another kind.
    """
    if not endpoint.startswith(_UNIX):
        raise InvalidInputError(f"Runtime 'process' cannot listen on {endpoint!r}.")
    return Path(endpoint.removeprefix(_UNIX))


def log_of(logs: Path, deployment_id: str, replica: int) -> str:
    """Return the end of what a replica's process has written, of those before it, too.

    Args:
        logs: folder of the logs of ``tiltyard up``.
        deployment_id: of its deployment.
        replica: its number.
    """
    try:
        with (logs / f"{_name(deployment_id, replica)}.log").open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            return file.read().decode(errors="replace").strip()
    except FileNotFoundError:
        return ""


class ProcessDeployer(Deployer):
    """Runs each replica as a child of a supervisor."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._endpoints: dict[str, tuple[str, ...]] = {}

    def ensure(self, deployment: Deployment, folder: Path) -> None:
        """Start the scorers that are not there; the supervisor restarts those that die."""
        self._endpoints[deployment.id] = deployment.endpoints
        for number, endpoint in enumerate(deployment.endpoints):
            socket = socket_path(endpoint)
            socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._supervisor.start(
                Program(
                    name=_name(deployment.id, number),
                    command=(
                        *(sys.executable, "-m", "tiltyard.scoring"),
                        *("--folder", str(folder), "--socket", str(socket)),
                        *("--engine", deployment.engine),
                        *("--version", str(deployment.version)),
                    ),
                    grace_s=GRACE_S,
                )
            )

    def stop(self, deployment_id: str) -> None:
        """End the scorers and remove their sockets."""
        endpoints = self._endpoints.pop(deployment_id, ())
        self._supervisor.stop(*(_name(deployment_id, n) for n in range(len(endpoints))))
        for endpoint in endpoints:
            path = socket_path(endpoint)
            # What cannot be removed is of no harm: a deployment's path is its own.
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
                path.parent.rmdir()
                path.parent.parent.rmdir()

    def running(self) -> frozenset[str]:
        """Return the ids of the deployments that are to run here."""
        return frozenset(self._endpoints)

    def status(self, deployment_id: str) -> list[ReplicaStatus]:
        """Return the state of each replica, in the order of the endpoints."""
        endpoints = self._endpoints.get(deployment_id, ())
        return [self._replica(deployment_id, n, e) for n, e in enumerate(endpoints)]

    def tail(self, deployment_id: str, replica: int) -> str:
        """Return the last lines that a replica wrote since its last start."""
        return self._supervisor.tail(_name(deployment_id, replica))

    def _replica(self, deployment_id: str, number: int, endpoint: str) -> ReplicaStatus:
        child = self._supervisor.status(_name(deployment_id, number))
        if child is None:
            return ReplicaStatus(endpoint, 0, running=False, exit_code=None, early_ends=0)
        return ReplicaStatus(
            endpoint, child.runs, child.pid is not None, child.exit_code, child.early_ends
        )


def _name(deployment_id: str, number: int) -> str:
    return f"scorer-{deployment_id}-{number}"
