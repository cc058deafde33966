"""People's servers: a JupyterLab each, in a container of a recorded image."""

import asyncio
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from typing import Any

from docker.errors import APIError, DockerException, NotFound
from dockerspawner import DockerSpawner
from requests import RequestException

from tiltyard.containers.engine import connect, translated
from tiltyard.containers.images import RecordedImage, check_present
from tiltyard.containers.network import ensure_network
from tiltyard.containers.servers import HOME, STOP_S, ensure_volume, mounts, names
from tiltyard.errors import InvalidInputError
from tiltyard.hub.offers import choose, offered
from tiltyard.hub.options import IMAGE, group_names
from tiltyard.hub.refusals import ServerEndedError, refusing
from tiltyard.hub.tokens import follow_roles
from tiltyard.settings import Settings, load_settings

_LOOK_S = 0.05
_ASK_S = 0.5
"""The engine is asked whether a server that does not listen still runs."""

_LAST_LINES = 3


class ContainerSpawner(DockerSpawner):
    """Starts a user's server in a container that may do little and sees one network."""

    user_options: dict[str, Any]
    _threads: Executor | None = None

    @property
    def executor(self) -> Executor:
        """Threads for the engine, more than one: a stop takes seconds."""
        if ContainerSpawner._threads is None:
            ContainerSpawner._threads = ThreadPoolExecutor(4)
        return ContainerSpawner._threads

    async def start(self) -> tuple[str, int]:
        """Start the server and wait until it listens; return its address.

        Raises:
            RefusedSpawn: with a sentence of what is wrong.
        """
        settings = load_settings()
        with refusing(settings):
            image = self._choose(settings)
            name, volume = self._names(settings)
            await asyncio.to_thread(_prepare, settings, image, volume, self.user.name)
            follow_roles(self)
            self.image, self.object_name = image.id, name
            self.volumes = {volume: HOME}
            self.read_only_volumes = mounts(settings)
            address: tuple[str, int] = await super().start()
            await self._until_listening(settings, *address)
        return address

    async def check_allowed(self, image: str) -> str:
        """Return the image's id: ``start`` has checked the choice."""
        return str(self.image)

    async def stop(self, now: bool = False) -> None:
        """Stop and remove the container; the user's volume stays."""
        with refusing(load_settings()):
            await super().stop(now)

    async def stop_object(self) -> None:
        """Stop the container, which may already be gone."""
        try:
            await self.docker("stop", self.object_id, timeout=STOP_S)
        except NotFound:
            self.log.info("The server of %s was gone already.", self._log_name)

    async def poll(self) -> str | int | None:
        """Return None while the container runs, or while the engine cannot be asked."""
        if not self.object_id:
            return 0
        try:
            container = await self.docker("inspect_container", self.object_id)
        except NotFound:
            return 0
        except (DockerException, RequestException) as error:
            # Servers are reached without the engine: what was known holds.
            self.log.warning("The engine does not say how %s is: %s", self._log_name, error)
            return None
        state = container["State"]
        if state["Running"]:
            return None
        status = f"exit code {state['ExitCode']}, out of memory: {state['OOMKilled']}"
        self.log.warning("The server of %s has ended: %s", self._log_name, status)
        await self.remove_object()
        return status

    def _choose(self, settings: Settings) -> RecordedImage:
        images = offered(settings, self.user.name, group_names(self))
        try:
            return choose(images, self.user_options.get(IMAGE))
        except InvalidInputError:
            # Else the hub tries it again at each start that names no image.
            self.user_options = {}
            self.orm_spawner.user_options = {}
            self.db.commit()
            raise

    def _names(self, settings: Settings) -> tuple[str, str]:
        return names(settings, self.escaped_name, self.escape(self.name) if self.name else "")

    async def _until_listening(self, settings: Settings, ip: str, port: int) -> None:
        """Wait until the server accepts connections.

        Raises:
            ServerEndedError: its container has ended.
        """
        asked = time.monotonic()
        while not await _listens(ip, port):
            if time.monotonic() - asked > _ASK_S:
                state = (await self.docker("inspect_container", self.object_id))["State"]
                if not state["Running"]:
                    raise ServerEndedError(
                        settings.servers.memory_mb, state, await self._last_words()
                    )
                asked = time.monotonic()
            await asyncio.sleep(_LOOK_S)

    async def _last_words(self) -> str:
        try:
            said: bytes = await self.docker("logs", self.object_id, tail=_LAST_LINES)
        except APIError:
            return ""
        return " ".join(said.decode(errors="replace").split())


def _prepare(settings: Settings, image: RecordedImage, volume: str, user: str) -> None:
    """See that the image is there, make the network and the user's volume where they are not."""
    with closing(connect(settings)) as client, translated(settings):
        check_present(client, image)
        ensure_network(client, settings)
        ensure_volume(client, settings, volume, user)


async def _listens(ip: str, port: int) -> bool:
    if not ip:  # the container has ended; without a name the loopback would be asked
        return False
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(ip, port), timeout=_ASK_S)
    except OSError:
        return False
    writer.close()
    return True
