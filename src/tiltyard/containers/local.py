"""Runs a local project in a new container of the caller's own engine, as if it ran here."""

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING, Any

from tiltyard.containers.attached import Ended, attached
from tiltyard.containers.hardening import hardened
from tiltyard.containers.images import RecordedImage
from tiltyard.containers.labels import Role, labels, named
from tiltyard.containers.projects import Project
from tiltyard.containers.terminal import hand_on_input, removed_at_last, signals_to
from tiltyard.errors import ForbiddenError
from tiltyard.settings import Limits, Settings

if TYPE_CHECKING:
    from docker import DockerClient

TMP_MB = 512
SHM_MB = 256

_INSIDE = ("TILTYARD_IMAGE", "JUPYTERHUB_API_TOKEN", "JUPYTERHUB_USER")


@dataclass(frozen=True)
class Wish:
    """How a project is to run.

    Attributes:
        image: of the container.
        limits: what it may use.
        environment: added to the image's.
        outside: whether it reaches the network; else none at all.
    """

    image: RecordedImage
    limits: Limits
    environment: Mapping[str, str]
    outside: bool = False


def check_outside() -> None:
    """See that this is no server or container of a user's on the platform.

    Raises:
        ForbiddenError: it is.
    """
    if any(name in os.environ for name in _INSIDE):
        raise ForbiddenError(
            "`tiltyard exec` runs on your own computer, with your own Docker: this is a server or "
            "a container of the platform, which gives no Docker away. Here, run the script itself, "
            "or a pipeline by `tiltyard run train`."
        )


def run_project(
    client: "DockerClient",
    settings: Settings,
    project: Project,
    wish: Wish,
    tell: Callable[[int, bytes], None],
) -> Ended:
    """Run a project to its end; the container is removed, even if this process is killed.

    Signals that would end this process are handed on; a second one, or none that helps within
    some seconds, kills the container. Standard input is handed on where it is this process's.

    Args:
        client: of the caller's engine.
        settings: whose mark the container carries.
        project: what to run.
        wish: how.
        tell: takes what it prints: ``STDOUT`` or ``STDERR``, and bytes.

    Raises:
        TiltyardError: the engine is away or cannot do it.
    """
    options = _options(settings, project, wish)
    with (
        removed_at_last(options["name"]),
        attached(client, settings, wish.image.id, project.command, **options) as held,
        signals_to(held),
    ):
        held.start()
        Thread(target=hand_on_input, args=(held,), daemon=True).start()
        for stream, piece in held.frames():
            tell(stream, piece)
        return held.ended()


def _options(settings: Settings, project: Project, wish: Wish) -> dict[str, Any]:
    from docker.types import Mount  # noqa: PLC0415  an extra

    folder = str(project.folder)
    return {
        **hardened(wish.limits, user=f"{os.getuid()}:{os.getgid()}", tmp_mb=TMP_MB),
        "name": named(settings, "exec", secrets.token_hex(4)),
        "labels": labels(settings, Role.EXEC),
        "entrypoint": [],
        "mounts": [Mount(folder, folder, type="bind")],
        "working_dir": str(project.workdir),
        "network_mode": "bridge" if wish.outside else "none",
        "shm_size": SHM_MB * 2**20,
        "environment": {
            "HOME": "/tmp",  # noqa: S108  the container's own
            "USER": "yard",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            **wish.environment,
            "TILTYARD_IMAGE": wish.image.id,
        },
    }
