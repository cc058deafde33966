"""Settings of what runs in containers, with `runtime = "docker"`."""

import ipaddress
from pathlib import Path

from pydantic import field_validator

from tiltyard.settings.base import Section

LEAST_ADDRESSES = 8


class Limits(Section):
    """What a container may use of its host."""

    memory_mb: int = 1024
    """Memory without swap, in MB; a container that wants more is killed."""
    cpus: float = 1.0
    """Processors' time it may take, such as 0.5."""
    pids: int = 256
    """Processes and threads it may have."""


class SizeSettings(Section):
    """The size classes of scorers; a deployment names one."""

    small: Limits = Limits()
    """For most models."""
    medium: Limits = Limits(memory_mb=4096, cpus=2.0)
    """For large forests and wide data."""
    large: Limits = Limits(memory_mb=16384, cpus=4.0)
    """For what needs a machine of its own."""


class ServerSettings(Section):
    """People's servers in containers: a JupyterLab each."""

    memory_mb: int = 4096
    """Memory of a server without swap, in MB."""
    cpus: float = 2.0
    """Processors' time it may take."""
    pids: int = 1024
    """Processes and threads it may have."""
    images: dict[str, list[str]] = {}
    """Group → names of the images that its members choose from; empty offers every recorded lab
    image to all."""


class DockerSettings(Section):
    """The Docker Engine of this machine."""

    url: str = ""
    """Its address; empty means `DOCKER_HOST`, else the local socket."""
    subnet: str = "172.30.51.0/24"
    """Network of users' and runs' containers; its first address is the host's, where they reach
    hub, control and gateway."""
    outside: bool = False
    """Whether users' and runs' containers reach the network beyond this host, too."""
    scorer_user: int = 10001
    """User id of scorers where Tiltyard runs as root; otherwise they run as Tiltyard's user."""

    @field_validator("subnet")
    @classmethod
    def _is_a_network(cls, value: str) -> str:
        network = ipaddress.ip_network(value)
        if network.version != 4 or network.num_addresses < LEAST_ADDRESSES:  # noqa: PLR2004  IPv4
            raise ValueError(f"give an IPv4 network of at least {LEAST_ADDRESSES} addresses")
        return value


class ImageSettings(Section):
    """The images that containers are made from."""

    path: Path = Path("spawner_images")
    """Folder with one folder an image."""
    lock: str = ""
    """File that records what was built; empty means `images.lock` in the home folder."""
    base: str = "debian:trixie-slim"
    """Image of Debian 13 that the base is built on, by a name that Docker can pull or has."""
    name: str = "tiltyard"
    """What images' names begin with; with a registry in front of it they can be pushed there."""
