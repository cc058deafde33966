"""A whole Tiltyard whose people work in containers, on a network of its own."""

import json
import os
from pathlib import Path
from typing import Any

import httpx

from support.hub import Visitor, wait_for
from support.people import SPAWN_S, PeopledYard
from support.subnets import own_subnet
from tiltyard.containers.engine import connect
from tiltyard.containers.labels import Role, filters
from tiltyard.settings import Settings


class ContainerYard(PeopledYard):
    """`tiltyard up` with `runtime = "docker"`.

    Args:
        folder: everything is kept below it.
        lock: record of the images that are offered.
        settings: more environment.
    """

    def __init__(self, folder: Path, lock: Path, **settings: str) -> None:
        super().__init__(
            folder,
            TILTYARD_RUNTIME="docker",
            TILTYARD_DOCKER__SUBNET=own_subnet(),
            TILTYARD_IMAGES__LOCK=str(lock),
            **settings,
        )
        self.settings = settings_of(self.environment)
        self.api = self.settings.hub_api_url
        self.engine = connect(Settings())

    def stop(self) -> None:
        """End everything, then remove people's volumes, which outlive it; nothing else is left."""
        super().stop()
        ours = filters(self.settings)
        try:
            assert self.engine.containers.list(all=True, filters=ours) == []
            assert self.engine.networks.list(filters=ours) == []
        finally:
            for volume in self.engine.volumes.list(filters=ours):
                volume.remove()
            self.engine.close()

    def server(self, name: str) -> Any:
        """Return the container of a user's server."""
        found = self.engine.containers.list(
            all=True, filters=filters(self.settings, Role.SERVER, user=name)
        )
        assert len(found) == 1, found
        return found[0]

    def has_server(self, name: str) -> bool:
        """Return whether a user's server has a container, running or not."""
        ours = filters(self.settings, Role.SERVER, user=name)
        return bool(self.engine.containers.list(all=True, filters=ours))

    def inside(self, name: str, code: str) -> Any:
        """Run Python in a user's container, as the user; return the JSON that it prints."""
        done = self.server(name).exec_run(["python", "-c", code])
        assert done.exit_code == 0, done.output.decode()
        return json.loads(done.output)

    def ask_for_server(self, visitor: Visitor, name: str, **options: Any) -> httpx.Response:
        """Ask for a server, and wait for one that was promised."""
        answer = visitor.call("POST", f"/users/{name}/server", json=options or None)
        if answer.status_code in {201, 202}:
            wait_for(lambda: self.ready(visitor, name), SPAWN_S, self.logs)
        return answer

    def ready(self, visitor: Visitor, name: str) -> bool:
        """Return whether a user's server answers."""
        return bool(visitor.call("GET", f"/users/{name}").json().get("server"))

    def stop_server(self, visitor: Visitor, name: str) -> None:
        """Stop a user's server and wait until it is gone."""
        answer = visitor.call("DELETE", f"/users/{name}/server")
        assert answer.status_code in {202, 204}, answer.text
        wait_for(lambda: not self.has_server(name), 30, self.logs)
        wait_for(lambda: not pending(visitor, name), 30, self.logs)


def pending(visitor: Visitor, name: str) -> bool:
    """Return whether a user's server is being started or stopped."""
    return bool(visitor.call("GET", f"/users/{name}").json().get("pending"))


def settings_of(environment: dict[str, str]) -> Settings:
    """Return the settings that a process with this environment reads."""
    kept = dict(os.environ)
    try:
        os.environ.update(environment)
        return Settings()
    finally:
        os.environ.clear()
        os.environ.update(kept)
