"""What `tiltyard up` does differently for processes and for containers."""

import logging
import signal
import threading
import time
from abc import ABC, abstractmethod
from contextlib import closing
from pathlib import Path

from tiltyard.cli.output import complain
from tiltyard.client.control import ControlClient
from tiltyard.containers.ending import end_all
from tiltyard.containers.engine import connect as connect_engine
from tiltyard.containers.firewall import not_held
from tiltyard.containers.labels import Role
from tiltyard.containers.network import ensure_network, remove_network
from tiltyard.deployers.docker.sockets import remove_folders
from tiltyard.deployers.probe import REFUSED_EXITS, probe
from tiltyard.deployers.process import ProcessDeployer
from tiltyard.deployers.reconcile import Reconciler
from tiltyard.deployers.supervisor import Supervisor
from tiltyard.errors import TiltyardError
from tiltyard.settings import Settings
from tiltyard.types.registry import DeploymentState, Version

logger = logging.getLogger(__name__)

SERVERS = "server-"
"""People's servers carry this and the user's name in their mark (`tiltyard.hub.spawner`)."""

_LOOK_S = 0.2


class Runtime(ABC):
    """Where scorers and people's servers run."""

    @abstractmethod
    def prepare(self) -> None:
        """Make ready what everything else needs, before anything is started."""

    @abstractmethod
    def start(self, stop: threading.Event) -> None:
        """See to scorers from now on, until ``stop`` is set; control answers."""

    @abstractmethod
    def settle(self, timeout_s: float) -> None:
        """Wait until every scorer that is to run answers, or was given up."""

    @abstractmethod
    def end_servers(self) -> None:
        """End people's servers."""

    @abstractmethod
    def end(self) -> None:
        """End what is left when the gateway has ended."""


class Processes(Runtime):
    """Children of `tiltyard up`."""

    def __init__(self, settings: Settings, client: ControlClient, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._reconciler = Reconciler(
            client,
            ProcessDeployer(supervisor),
            probe,
            lambda version: artifact(settings, version),
            refused_exits=REFUSED_EXITS,
        )
        self._thread: threading.Thread | None = None

    def prepare(self) -> None:
        """Nothing is needed."""

    def start(self, stop: threading.Event) -> None:
        """Reconcile in a thread."""
        self._thread = threading.Thread(
            target=self._reconciler.run, args=(stop,), name="reconciler", daemon=True
        )
        self._thread.start()

    def settle(self, timeout_s: float) -> None:
        """Wait for the reconciler."""
        self._reconciler.settled.wait(timeout_s)

    def end_servers(self) -> None:
        """Signal them: they are sessions of their own; what is left dies with the mark."""
        self._supervisor.signal_marked(SERVERS, signal.SIGTERM)

    def end(self) -> None:
        """Let the reconciler end; the scorers end with the other children."""
        if self._thread is not None:
            self._thread.join(timeout=1)


class Containers(Runtime):
    """Containers, which control and hub see to themselves."""

    def __init__(self, settings: Settings, client: ControlClient, supervisor: Supervisor) -> None:
        self._settings = settings
        self._client = client
        self._supervisor = supervisor

    def prepare(self) -> None:
        """Make the network on which users' and runs' containers reach control and gateway.

        Raises:
            MissingExtraError: Docker's library is not installed.
            UnavailableError: the engine is away.
            ConflictError: the network cannot be as the settings want it.
        """
        with closing(connect_engine(self._settings)) as engine:
            ensure_network(engine, self._settings)
        if (lacks := not_held(self._settings)) is not None:
            complain(lacks)

    def start(self, stop: threading.Event) -> None:
        """Nothing: control does it."""

    def settle(self, timeout_s: float) -> None:
        """Wait until what control has recorded as running answers."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end and not self._settled():
            time.sleep(_LOOK_S)

    def end_servers(self) -> None:
        """End their containers and those of runs."""
        self._end(Role.SERVER, Role.RUN)

    def end(self) -> None:
        """End the scorers' containers, and control before: what it misses it starts again."""
        self._supervisor.stop("control")
        if self._end(Role.SCORER):
            remove_folders(self._settings.sockets)
        try:
            with closing(connect_engine(self._settings)) as engine:
                remove_network(engine, self._settings)
        except TiltyardError as error:
            logger.warning("The users' network is left: %s", error)

    def _settled(self) -> bool:
        live = {DeploymentState.STARTING, DeploymentState.HEALTHY}
        try:
            found = [d for d in self._client.deployments() if d.state in live]
            return all(r.answers for d in found for r in self._client.replicas(d.id))
        except TiltyardError:
            return False

    def _end(self, *roles: Role) -> bool:
        try:
            end_all(self._settings, *roles)
        except TiltyardError as error:
            logger.warning("Containers are left running: %s", error)
            return False
        return True


def artifact(settings: Settings, version: Version) -> Path:
    """Return the folder of a version, read-only."""
    return settings.path("artifacts", version.digest[:2], version.digest)


def runtime_of(settings: Settings, client: ControlClient, supervisor: Supervisor) -> Runtime:
    """Return the runtime of the settings."""
    if settings.runtime == "docker":
        return Containers(settings, client, supervisor)
    return Processes(settings, client, supervisor)
