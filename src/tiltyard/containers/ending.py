"""Ends what this home's containers do."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tiltyard.containers.engine import connect, translated
from tiltyard.containers.labels import Role, filters
from tiltyard.errors import NotFoundError
from tiltyard.settings import Settings


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
    """Stop a container and remove it; one that is gone is nothing to do."""
    try:
        with translated(settings):
            client.api.stop(container, timeout=grace_s)
            client.api.remove_container(container, force=True, v=True)
    except NotFoundError:
        return
