"""Where notebooks are executed: what `execute` needs to know of it."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from tiltyard.training.folder import RunFolder
from tiltyard.training.job import Job


@dataclass(frozen=True)
class End:
    """How the process that executes a notebook ended.

    Attributes:
        code: what it exited with.
        reason: what the place knows about it that the notebook cannot say.
    """

    code: int
    reason: str | None = None


class Child(Protocol):
    """The process that executes one notebook, with all that it starts."""

    def wait(self, timeout_s: float) -> bool:
        """Return whether it has ended, within these seconds."""
        ...

    def trouble(self) -> str | None:
        """Return why it has to be stopped now, if it has."""
        ...

    def end(self) -> End:
        """Return how it ended, once it has.

        Raises:
            UnavailableError: that cannot be known any more.
        """
        ...


class Place(Protocol):
    """Where notebooks are executed."""

    @property
    def image(self) -> str | None:
        """Id of the image, if it is one."""
        ...

    @property
    def environment(self) -> str:
        """Digest of the software there; part of a run's key."""
        ...

    @property
    def packages(self) -> str:
        """Digest of the list of packages there, for the provenance."""
        ...

    @property
    def addresses(self) -> Mapping[str, str]:
        """Environment variables that lead a notebook there to control and lake."""
        ...

    def start(
        self, job: Job, folder: RunFolder, environment: Mapping[str, str]
    ) -> AbstractContextManager[Child]:
        """Start executing a notebook; whatever happens, nothing of it is left afterwards.

        Raises:
            TiltyardError: that cannot be done here, saying what to do.
        """
        ...


def notebook_environment(folder: RunFolder) -> dict[str, str]:
    """Return what every notebook finds in its environment."""
    return {
        "TILTYARD_RUN_DIR": str(folder.out),
        # Connection files and profiles of one run are nobody else's.
        "JUPYTER_RUNTIME_DIR": str(folder.private / "jupyter"),
        "IPYTHONDIR": str(folder.private / "ipython"),
        "MPLBACKEND": "Agg",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        # The debugger's notice is no part of a run's log.
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
