"""People's servers as containers: their names, what they see of this host, what they may use."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiltyard.containers.engine import translated
from tiltyard.containers.hardening import hardened
from tiltyard.containers.labels import Role, labels, named
from tiltyard.containers.network import on_network
from tiltyard.settings import Limits, Settings

if TYPE_CHECKING:
    from docker import DockerClient

HOME = "/home/yard"
"""Where a user's volume is, in the container."""

PIPELINES = "/opt/tiltyard/pipelines"
"""Where the installation's pipelines are, read-only."""

LAKE = "/lake/lake.db"
"""Where the embedded data lake is, read-only."""

STOP_S = 5
TMP_MB = 512
_SQLITE = "sqlite:///"
_READABLE = 0o444


def names(settings: Settings, user: str, server: str = "") -> tuple[str, str]:
    """Return the names of a server's container and of its volume.

    Args:
        settings: of this installation.
        user: escaped so that it has no ``--``.
        server: escaped; empty is the user's first one.
    """
    whose = f"{user}--{server}" if server else user
    return named(settings, "server", whose), named(settings, "user", whose)


def ensure_volume(client: "DockerClient", settings: Settings, name: str, user: str) -> None:
    """Make a user's volume, unless it is there; it stays when the server is removed."""
    with translated(settings):
        client.volumes.create(name, labels=labels(settings, Role.SERVER, user=user))


def mounts(settings: Settings) -> dict[str, str]:
    """Return the files and folders of this host that a server sees, read-only."""
    seen = {}
    pipelines = settings.pipelines.path.absolute()
    if pipelines.is_dir():
        seen[str(pipelines)] = PIPELINES
    lake = lake_file(settings)
    if lake is not None and lake.is_file():
        _let_read(lake)
        seen[str(lake)] = LAKE
    return seen


def lake_file(settings: Settings) -> Path | None:
    """Return the embedded data lake's file; None where the lake is another database."""
    url = settings.lake_url
    return Path(url.removeprefix(_SQLITE)).absolute() if url.startswith(_SQLITE) else None


def host_config(settings: Settings) -> dict[str, Any]:
    """Return what a server is denied and may use, as Docker's ``create_host_config`` takes it."""
    servers = settings.servers
    limits = Limits(memory_mb=servers.memory_mb, cpus=servers.cpus, pids=servers.pids)
    network = on_network(settings)
    network.pop("network")
    return {**hardened(limits, tmp_mb=TMP_MB), **network}


def _let_read(file: Path) -> None:
    """Let the user of the containers read it; the home folder keeps everybody else away."""
    mode = file.stat().st_mode
    if mode & _READABLE != _READABLE:
        with suppress(PermissionError):  # another's file, who lets read it or not
            file.chmod(mode | _READABLE)
