"""The contract of every deployer: it runs the scorers of deployments on one runtime."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from tiltyard.types.registry import Deployment


@dataclass(frozen=True)
class ReplicaStatus:
    """One scorer of a deployment.

    Attributes:
        endpoint: where it listens, as the deployment records it.
        run: another number with every start, so that a caller sees that it was replaced.
        running: whether its process lives now.
        exit_code: of its last end; negative for a signal; None if it never ended.
        early_ends: how often in a row it ended before it was healthy for long.
    """

    endpoint: str
    run: int
    running: bool
    exit_code: int | None
    early_ends: int


class Deployer(ABC):
    """Runs scorers. Every method may be called again with the same arguments."""

    def look(self) -> None:  # noqa: B027  most know what they run
        """Learn what runs; the other methods speak of what was seen.

        Raises:
            UnavailableError: what runs cannot be seen now.
        """

    @abstractmethod
    def ensure(self, deployment: Deployment, folder: Path) -> None:
        """See that every replica of a deployment is started and is restarted when it dies.

        Args:
            deployment: with one endpoint a replica.
            folder: of the version, read-only.
        """

    @abstractmethod
    def stop(self, deployment_id: str) -> None:
        """End a deployment's scorers and remove what they leave; unknown ids are nothing to do."""

    @abstractmethod
    def running(self) -> frozenset[str]:
        """Return the ids of the deployments that are to run here."""

    @abstractmethod
    def status(self, deployment_id: str) -> list[ReplicaStatus]:
        """Return the state of each replica, in the order of the endpoints."""

    @abstractmethod
    def tail(self, deployment_id: str, replica: int) -> str:
        """Return the last lines that a replica wrote since its last start."""
