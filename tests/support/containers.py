"""A whole Tiltyard whose people work in containers, on a network of its own."""

import json
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import docker

from support.people import PeopledYard
from tiltyard.containers.engine import connect
from tiltyard.containers.images import ImageSet, ImagesLock, RecordedImage, read_lock, write_lock
from tiltyard.containers.labels import HOME, Role, filters, mark
from tiltyard.containers.network import ensure_network, remove_network
from tiltyard.containers.servers import stop_servers
from tiltyard.settings import Settings


class ContainerYard(PeopledYard):
    """`tiltyard up` with `runtime = "docker"`.

    Args:
        folder: everything is kept below it.
        lock: record of the images that are offered.
        settings: more environment.
    """

    def __init__(self, folder: Path, lock: Path, **settings: str) -> None:
        # A network of its own for each test run on this machine.
        subnet = f"172.30.{100 + os.getpid() % 150}.0/24"
        super().__init__(
            folder,
            TILTYARD_RUNTIME="docker",
            TILTYARD_DOCKER__SUBNET=subnet,
            TILTYARD_IMAGES__LOCK=str(lock),
            **settings,
        )
        own = {k: v for k, v in self.environment.items() if k.startswith("TILTYARD_")}
        self.settings = settings_of(own)
        self.api = self.settings.hub_api_url
        self.engine = connect(self.settings)

    def stop(self) -> None:
        """End everything; nothing of it is left at the engine."""
        super().stop()
        stop_servers(self.settings)
        assert remove_network(self.engine, self.settings)
        for volume in self.engine.volumes.list(filters=filters(self.settings)):
            volume.remove()
        self.engine.close()

    def server(self, name: str) -> Any:
        """Return the container of a user's server."""
        found = self.engine.containers.list(filters=filters(self.settings, Role.SERVER, user=name))
        assert len(found) == 1, found
        return found[0]

    def inside(self, name: str, code: str) -> str:
        """Run Python in a user's container, as the user; return what it prints."""
        done = self.server(name).exec_run(["python", "-c", code])
        assert done.exit_code == 0, done.output
        return str(done.output.decode())


def settings_of(environment: dict[str, str]) -> Settings:
    """Return the settings that a process with this environment reads."""
    kept = dict(os.environ)
    try:
        os.environ.update(environment)
        return Settings()
    finally:
        os.environ.clear()
        os.environ.update(kept)
