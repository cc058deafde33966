"""Reaches the Docker Engine, and says in a sentence why it cannot be reached."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tiltyard.errors import (
    ConflictError,
    MissingExtraError,
    NotFoundError,
    TiltyardError,
    UnavailableError,
)
from tiltyard.settings import Settings

if TYPE_CHECKING:
    from docker import DockerClient

TIMEOUT_S = 30.0
_NOT_FOUND = 404
_CONFLICT = 409
_NO_SPACE = "no space left on device"


def connect(settings: Settings, timeout_s: float = TIMEOUT_S) -> "DockerClient":
    """Return a client of the engine that ``docker.url`` or ``DOCKER_HOST`` names.

    Raises:
        MissingExtraError: Docker's library is not installed.
        UnavailableError: no engine answers there.
    """
    try:
        import docker  # noqa: PLC0415  an extra
    except ImportError:
        raise MissingExtraError("docker", "docker") from None
    _knock(settings)
    with translated(settings):
        if settings.docker.url:
            client = docker.DockerClient(settings.docker.url, timeout=timeout_s)
        else:
            client = docker.from_env(timeout=timeout_s)
        try:
            client.ping()
        except BaseException:
            client.close()
            raise
    return client


@contextmanager
def translated(settings: Settings) -> Iterator[None]:
    """Turn the errors of Docker's library into Tiltyard's.

    Raises:
        NotFoundError: the engine has no such container, image, network or volume.
        ConflictError: a name is taken, or something is in use.
        UnavailableError: the engine is away or answers nothing of use, or its disk is full.
    """
    import requests  # noqa: PLC0415  comes with the extra
    from docker.errors import APIError, DockerException  # noqa: PLC0415  the same

    try:
        yield
    except APIError as error:
        raise _of_engine(error) from error
    except (DockerException, requests.exceptions.RequestException) as error:
        raise EngineAwayError(settings) from error


class EngineAwayError(UnavailableError):
    """No Docker Engine answers."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(
            f"The Docker Engine at {address(settings)} does not answer: start it (on Debian: "
            "`systemctl start docker`), or set docker.url. Who calls it has to be root or in the "
            "group docker."
        )


def address(settings: Settings) -> str:
    """Return where the engine is looked for."""
    return settings.docker.url or os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"


def _knock(settings: Settings) -> None:
    """See that somebody listens: where nobody does, Docker's library leaves a socket open."""
    scheme, _, path = address(settings).partition("://")
    if scheme != "unix":
        return
    with socket.socket(socket.AF_UNIX) as door:
        try:
            door.connect(path)
        except OSError as error:
            raise EngineAwayError(settings) from error


def _of_engine(error: "Exception") -> TiltyardError:
    said = str(getattr(error, "explanation", None) or error).strip()
    status = getattr(error, "status_code", None)
    if _NO_SPACE in said.lower():
        return UnavailableError(
            f"The disk of the Docker Engine is full ({said}): free space, `docker system df` shows "
            "what takes it."
        )
    if status == _NOT_FOUND:
        return NotFoundError("container, image or network of the Docker Engine", said)
    if status == _CONFLICT:
        return ConflictError(f"The Docker Engine refuses: {said}.")
    return UnavailableError(f"The Docker Engine cannot do it: {said}.")
