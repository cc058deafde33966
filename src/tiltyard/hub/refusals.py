"""What a server that cannot be started or stopped says, on pages and to callers of the API."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from jupyterhub.spawner import SpawnException

from tiltyard.containers.engine import translated
from tiltyard.errors import ForbiddenError, InvalidInputError, TiltyardError, UnavailableError
from tiltyard.settings import Settings


class RefusedSpawn(SpawnException):
    """A server that was not started, in a sentence for the page and for callers of the API."""

    def __init__(self, error: TiltyardError) -> None:
        asked = isinstance(error, ForbiddenError | InvalidInputError)
        status = HTTPStatus.BAD_REQUEST if asked else HTTPStatus.SERVICE_UNAVAILABLE
        super().__init__(error.message, reason=error.code, status_code=int(status))
        self.jupyterhub_message = error.message


class ServerEndedError(UnavailableError):
    """A server's container ended before it answered."""

    def __init__(self, memory_mb: int, state: dict[str, Any], said: str) -> None:
        why = f"it said: {said}" if said else f"it exited with {state.get('ExitCode')}"
        if state.get("OOMKilled"):
            why = f"it wanted more memory than the {memory_mb} MB of servers.memory_mb"
        super().__init__(f"The server has ended while it started: {why}")


@contextmanager
def refusing(settings: Settings) -> Iterator[None]:
    """Turn errors, also those of Docker's library, into what the hub shows."""
    try:
        with translated(settings):
            yield
    except TiltyardError as error:
        raise RefusedSpawn(error) from error
