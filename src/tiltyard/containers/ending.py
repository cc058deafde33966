"""Ends what this home's containers do."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from tiltyard.containers.engine import connect, translated
from tiltyard.containers.labels import Role, filters
from tiltyard.errors import ConflictError, NotFoundError
from tiltyard.settings import Settings

READ_WITHIN = timedelta(minutes=1)
"""Within this, who waits for a container has read how it ended."""


def end_all(settings: Settings, *roles: Role, grace_s: int = 3) -> int:
    """Stop and remove this home's containers of some roles; return how many there were.

    Args:
        settings: of the home.
        roles: what they are for.
        grace_s: seconds between SIGTERM and SIGKILL.

    Raises:
        UnavailableError: the engine is away.
    """
    client = connect(settings)
    try:
        with translated(settings):
            found = [
                line["Id"]
                for role in roles
                for line in client.api.containers(all=True, filters=filters(settings, role))
            ]
        if found:
            with ThreadPoolExecutor(len(found)) as pool:
                list(pool.map(lambda id_: remove(client, settings, id_, grace_s), found))
        return len(found)
    finally:
        client.close()


def remove(client: Any, settings: Settings, container: str, grace_s: int) -> None:
    """Stop a container and remove it; one that is gone, or is going, is nothing to do."""
    # A conflict is somebody else's removal: nothing else stands against a forced one.
    with suppress(NotFoundError, ConflictError), translated(settings):
        client.api.stop(container, timeout=grace_s)
        client.api.remove_container(container, force=True, v=True)


def remove_ended(client: Any, settings: Settings, role: Role) -> None:
    """Remove containers that ended a while ago: who waited for them was gone, or the engine was.

    Raises:
        UnavailableError: the engine is away.
    """
    wanted = {**filters(settings, role), "status": ["exited", "dead"]}
    with translated(settings):
        found = client.containers.list(all=True, filters=wanted, ignore_removed=True)
    for container in found:
        finished = datetime.fromisoformat(container.attrs["State"]["FinishedAt"])
        if datetime.now(UTC) - finished > READ_WITHIN:
            remove(client, settings, container.id, 0)
