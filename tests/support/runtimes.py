"""Process and Docker as tests of deployments see them."""

import os
import signal
from abc import ABC, abstractmethod
from typing import Any

from tiltyard.containers.ending import end_all
from tiltyard.containers.engine import connect
from tiltyard.containers.labels import Role, filters
from tiltyard.deployers.base import Deployer
from tiltyard.deployers.docker import DockerDeployer
from tiltyard.deployers.process import ProcessDeployer
from tiltyard.deployers.supervisor import Supervisor
from tiltyard.settings import Settings
from tiltyard.types.registry import Deployment


class TestRuntime(ABC):
    """What a test may do to scorers behind Tiltyard's back."""

    __test__ = False
    name: str
    deployer: Deployer

    @abstractmethod
    def pid(self, deployment: Deployment, replica: int = 0) -> int | None:
        """Return the pid, on this machine, of what runs as a replica; None while nothing does."""

    @abstractmethod
    def left(self) -> list[str]:
        """Return the names of all scorers that are there."""

    @abstractmethod
    def end(self) -> None:
        """End all scorers, as a clean end of everything does."""

    @abstractmethod
    def another(self) -> Deployer:
        """Return the deployer of a second start."""

    def kill(self, deployment: Deployment, replica: int = 0) -> int:
        """Kill a replica that runs; return the pid it had."""
        pid = self.pid(deployment, replica)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        return pid


class ProcessRuntime(TestRuntime):
    """Children of a supervisor."""

    name = "process"

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self.deployer = ProcessDeployer(supervisor)

    def pid(self, deployment: Deployment, replica: int = 0) -> int | None:
        """Return a child's pid."""
        status = self._supervisor.status(f"scorer-{deployment.id}-{replica}")
        return None if status is None else status.pid

    def left(self) -> list[str]:
        """Return the children."""
        return self._supervisor.names()

    def end(self) -> None:
        """Stop the children."""
        self._supervisor.stop(*self._supervisor.names())

    def another(self) -> Deployer:
        """Return one with the same supervisor."""
        return ProcessDeployer(self._supervisor)


class DockerRuntime(TestRuntime):
    """Containers of the real engine."""

    name = "docker"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.client = connect(settings)
        self.deployer = DockerDeployer(settings)

    def containers(self, **more: str) -> list[Any]:
        """Return the scorers' containers with these labels."""
        found = filters(self._settings, Role.SCORER, **more)
        return list(self.client.containers.list(all=True, filters=found))

    def pid(self, deployment: Deployment, replica: int = 0) -> int | None:
        """Return the pid of a container's first process."""
        for one in self.containers(deployment=deployment.id, replica=str(replica)):
            state = one.attrs["State"]
            if state["Status"] == "running":
                return int(state["Pid"])
        return None

    def left(self) -> list[str]:
        """Return the containers' names."""
        return [one.name for one in self.containers()]

    def end(self) -> None:
        """Stop and remove the containers."""
        end_all(self._settings, Role.SCORER)

    def another(self) -> Deployer:
        """Return one that knows nothing yet."""
        return DockerDeployer(self._settings)
