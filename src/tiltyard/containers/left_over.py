"""Containers that nobody waits for any more: found by their labels, and removed."""

import contextlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tiltyard.containers.engine import translated
from tiltyard.containers.labels import Role, filters
from tiltyard.settings import Settings

if TYPE_CHECKING:
    from docker import DockerClient

READ_WITHIN = timedelta(minutes=1)
"""Within this, who started a container has read how it ended."""


def remove_all(client: "DockerClient", settings: Settings, role: Role, **more: str) -> int:
    """Remove all containers of a role; return how many there were.

    Args:
        client: of the engine.
        settings: say which home's.
        role: of the containers.
        **more: further labels they must have.

    Raises:
        UnavailableError: the engine is away.
    """
    from docker.errors import NotFound  # noqa: PLC0415  an extra

    with translated(settings):
        found = client.containers.list(
            all=True, filters=filters(settings, role, **more), ignore_removed=True
        )
        for container in found:
            with contextlib.suppress(NotFound):
                container.remove(force=True, v=True)
    return len(found)


def remove_ended(client: "DockerClient", settings: Settings, role: Role) -> None:
    """Remove what ended long ago, as after a restart of engine and starter together.

    Raises:
        UnavailableError: the engine is away.
    """
    from docker.errors import NotFound  # noqa: PLC0415  an extra

    wanted = {**filters(settings, role), "status": ["exited", "dead"]}
    with translated(settings):
        for container in client.containers.list(all=True, filters=wanted, ignore_removed=True):
            finished = datetime.fromisoformat(container.attrs["State"]["FinishedAt"])
            if datetime.now(UTC) - finished > READ_WITHIN:
                with contextlib.suppress(NotFound):
                    container.remove(force=True, v=True)
