"""How Tiltyard finds what it has made in a Docker Engine that others use, too."""

import zlib
from enum import StrEnum
from typing import Any

from tiltyard.settings import Settings

HOME = "tiltyard.home"
"""Label: mark of the home folder that a container, network or volume belongs to."""

ROLE = "tiltyard.role"
"""Label: what it is for, a ``Role``."""


class Role(StrEnum):
    """What Tiltyard makes containers for."""

    SCORER = "scorer"
    RUN = "run"
    SERVER = "server"
    EXEC = "exec"


def mark(settings: Settings) -> str:
    """Return the 8 hex digits that tell this home folder's containers from others'."""
    return f"{zlib.crc32(str(settings.path()).encode()):08x}"


def named(settings: Settings, *parts: str) -> str:
    """Return the name of something of this home: ``tiltyard-<mark>-<parts>``."""
    return "-".join(("tiltyard", mark(settings), *parts))


def labels(settings: Settings, role: Role, **more: str) -> dict[str, str]:
    """Return the labels of what is made for a role; further ones as ``tiltyard.<name>``."""
    given = {f"tiltyard.{name}": value for name, value in more.items()}
    return {HOME: mark(settings), ROLE: role.value, **given}


def filters(settings: Settings, role: Role | None = None, **more: str) -> dict[str, Any]:
    """Return the Docker SDK's ``filters=`` that find what has these labels."""
    wanted = {HOME: mark(settings), **{f"tiltyard.{name}": value for name, value in more.items()}}
    if role is not None:
        wanted[ROLE] = role.value
    return {"label": [f"{name}={value}" for name, value in wanted.items()]}
