"""Executes notebooks in processes of this host, with the runner's own software."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping

from tiltyard.settings import Settings, config_file
from tiltyard.training.folder import RunFolder
from tiltyard.training.job import Job
from tiltyard.training.keys import environment_digest
from tiltyard.training.place import End, notebook_environment
from tiltyard.training.processes import kill_all


class ProcessPlace:
    """A `Place`: this host, with this process's environment."""

    image = None

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def environment(self) -> str:
        """Digest of the interpreter and what is installed."""
        return environment_digest()

    @property
    def packages(self) -> str:
        """The same."""
        return environment_digest()

    @property
    def addresses(self) -> dict[str, str]:
        """The runner's own settings."""
        return {
            "TILTYARD_HOME": str(self._settings.path()),
            "TILTYARD_CONFIG": str(config_file().absolute()),
            "TILTYARD_CLIENT__URL": self._settings.control_url,
        }

    @contextlib.contextmanager
    def start(
        self, job: Job, folder: RunFolder, environment: Mapping[str, str]
    ) -> Iterator["ChildProcess"]:
        """Start a session of its own, that ends with this process at the latest."""
        description = folder.private / "job.json"
        job.write(description)
        lifeline, held = os.pipe()
        child = None
        try:
            with folder.log.open("ab") as log:
                command = [sys.executable, "-m", "tiltyard.training.notebook"]
                child = subprocess.Popen(  # noqa: S603  our own module, paths of our own
                    [*command, str(description), str(lifeline)],
                    cwd=folder.work,
                    env={**os.environ, **environment, **notebook_environment(folder)},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    pass_fds=[lifeline],
                    start_new_session=True,
                )
            yield ChildProcess(child)
        finally:
            kill_all(folder.out, None if child is None else child.pid)
            if child is not None:
                child.wait()
            os.close(lifeline)
            os.close(held)


class ChildProcess:
    """A `Child`."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def wait(self, timeout_s: float) -> bool:
        """Wait for it."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def trouble(self) -> str | None:
        """Return None: it may take what the host has."""
        return None

    def end(self) -> End:
        """Return its exit code."""
        return End(self._process.wait())
