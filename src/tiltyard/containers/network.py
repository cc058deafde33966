"""The network of users' servers and runs: a bridge on which they meet this host and nobody else."""

import ipaddress
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiltyard.containers.engine import translated
from tiltyard.containers.firewall import close_firewall, interface, open_firewall
from tiltyard.containers.labels import HOME, ROLE, mark, named
from tiltyard.errors import ConflictError
from tiltyard.settings import Settings

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.networks import Network

NOWHERE = "127.0.0.1"
"""A container's own loopback, where nobody answers: the engine asks there from inside it."""

_BRIDGE = "com.docker.network.bridge"
_ROUTES = Path("/proc/net/route")
_OVERLAPS = ("overlaps", "overlapping")


class SubnetTakenError(ConflictError):
    """The users' network cannot have its subnet on this machine."""

    def __init__(self, subnet: str, by: str) -> None:
        super().__init__(
            f"The network of users' containers cannot have the subnet {subnet}: {by} has it. Set "
            "docker.subnet to one that is free here and nowhere in the company's network.",
            subnet=subnet,
        )


class OtherNetworkError(ConflictError):
    """The users' network is there, but not as the settings want it."""

    def __init__(self, name: str, found: str, wanted: str) -> None:
        super().__init__(
            f"The network {name} is {found}, and the settings (docker.subnet, docker.outside) want "
            f"{wanted}; containers are on it still. Stop people's servers and runs, then start "
            "again.",
            network=name,
        )


def on_network(settings: Settings) -> dict[str, Any]:
    """Return the Docker SDK's keyword arguments that put a container on the users' network.

    Names of the world are looked up only where its hosts may be reached, too: a look-up also
    carries words outside.
    """
    own = (
        {}
        if settings.docker.outside
        else {"dns": [NOWHERE], "dns_opt": ["timeout:1", "attempts:1"]}
    )
    return {"network": named(settings), **own}


def ensure_network(client: "DockerClient", settings: Settings) -> str:
    """Make the users' network and its firewall, or see that they are as they should be.

    What the firewall cannot hold here, ``tiltyard.containers.firewall.not_held`` says.

    Returns:
        The network's name.

    Raises:
        SubnetTakenError: another network of the engine or of this host has the subnet.
        OtherNetworkError: it has another subnet, and containers are on it.
        UnavailableError: the engine is away.
    """
    with translated(settings):
        network = _find(client, settings)
        if network is not None and not _as_wanted(network, settings):
            _remove_other(network, settings)
            network = None
        if network is None:
            _create(client, settings)
    close_firewall(settings)
    return named(settings)


def remove_network(client: "DockerClient", settings: Settings) -> bool:
    """Remove the network and its firewall, unless a container is on it; return whether it is gone.

    Raises:
        UnavailableError: the engine is away.
    """
    with translated(settings):
        network = _find(client, settings)
        if network is not None and _attached(network):
            return False
        if network is not None:
            network.remove()
    open_firewall(settings)
    return True


def _find(client: "DockerClient", settings: Settings) -> "Network | None":
    from docker.errors import NotFound  # noqa: PLC0415  an extra

    try:
        return client.networks.get(named(settings))
    except NotFound:
        return None


def _create(client: "DockerClient", settings: Settings) -> None:
    from docker.errors import APIError  # noqa: PLC0415  an extra
    from docker.types import IPAMConfig, IPAMPool  # noqa: PLC0415  the same

    subnet = settings.docker.subnet
    holder = _route_holder(subnet)
    if holder is not None:
        raise SubnetTakenError(subnet, f"this host's interface {holder}")
    try:
        client.networks.create(
            named(settings),
            driver="bridge",
            check_duplicate=True,
            internal=not settings.docker.outside,
            ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=subnet, gateway=settings.bridge)]),
            options={
                f"{_BRIDGE}.name": interface(settings),
                f"{_BRIDGE}.enable_icc": "false",
                f"{_BRIDGE}.enable_ip_masquerade": str(settings.docker.outside).lower(),
            },
            labels={HOME: mark(settings), ROLE: "network"},
        )
    except APIError as error:
        if any(word in str(error.explanation) for word in _OVERLAPS):
            raise SubnetTakenError(subnet, "another network of the Docker Engine") from None
        if _find(client, settings) is None:  # else somebody else has just made it
            raise


def _as_wanted(network: "Network", settings: Settings) -> bool:
    return _describe(network) == _wanted(settings)


def _describe(network: "Network") -> str:
    pools = (network.attrs.get("IPAM") or {}).get("Config") or [{}]
    return _words(pools[0].get("Subnet"), internal=bool(network.attrs.get("Internal")))


def _wanted(settings: Settings) -> str:
    return _words(settings.docker.subnet, internal=not settings.docker.outside)


def _words(subnet: str | None, *, internal: bool) -> str:
    return f"{subnet or 'without a subnet'}{' (internal)' if internal else ''}"


def _remove_other(network: "Network", settings: Settings) -> None:
    if _attached(network):
        raise OtherNetworkError(named(settings), _describe(network), _wanted(settings))
    network.remove()


def _attached(network: "Network") -> bool:
    network.reload()
    return bool(network.attrs.get("Containers"))


def _route_holder(subnet: str) -> str | None:
    """Return the interface of this host whose network overlaps, if any."""
    wanted = ipaddress.ip_network(subnet)
    try:
        lines = _ROUTES.read_text().splitlines()[1:]
    except OSError:
        return None
    for line in lines:
        name, destination, *_, mask = line.split()[:8]
        where, wide = (_address(text) for text in (destination, mask))
        if int(wide) and wanted.overlaps(ipaddress.ip_network(f"{where}/{wide}")):
            return name
    return None


def _address(hexadecimal: str) -> ipaddress.IPv4Address:
    """Read an address as the kernel prints it, in this machine's byte order."""
    return ipaddress.IPv4Address(struct.pack("=L", int(hexadecimal, 16)))
