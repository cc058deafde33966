"""The users' network and its firewall, on the real engine."""

import ipaddress
import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from docker import DockerClient
from typer.testing import CliRunner

from support.hub import wait_for
from support.outside import Host, host_outside
from support.reach import attempt, listening, reachable
from support.subnets import own_subnet
from tiltyard.cli.app import app
from tiltyard.containers import firewall
from tiltyard.containers.images import read_lock
from tiltyard.containers.labels import mark, named
from tiltyard.containers.network import (
    OtherNetworkError,
    SubnetTakenError,
    ensure_network,
    on_network,
    remove_network,
)
from tiltyard.settings import Settings

pytestmark = pytest.mark.slow

SUBNET = own_subnet()
OTHER = own_subnet()


@pytest.fixture
def settings(tmp_path: Path, client: DockerClient) -> Iterator[Settings]:
    """Give the settings of a home whose network is removed at the end."""
    settings = with_docker(tmp_path, subnet=SUBNET)
    yield settings
    assert remove_network(client, settings)
    assert mark(settings) not in rules()


def with_docker(home: Path, **docker: Any) -> Settings:
    """Return the settings of a home."""
    return Settings(home=home, runtime="docker", docker={"subnet": SUBNET, **docker})


def rules() -> str:
    """Return every rule of this host."""
    return subprocess.run(("iptables", "-S"), capture_output=True, text=True, check=True).stdout


def test_a_network_is_made_once(client: DockerClient, settings: Settings) -> None:
    """Again it is as it was, and no rule stands twice; a flushed one is back."""
    assert ensure_network(client, settings) == named(settings)
    first = client.networks.get(named(settings)).id
    subprocess.run(("iptables", "-F", f"TY-{mark(settings)}-IN"), check=True)
    ensure_network(client, settings)
    assert client.networks.get(named(settings)).id == first
    found = rules()
    assert found.count(f"-A INPUT -i ty-{mark(settings)} -j") == 1
    assert found.count(f"-A DOCKER-USER -i ty-{mark(settings)} -j") == 1
    assert f"-A TY-{mark(settings)}-IN -j REJECT" in found
    assert firewall.not_held(settings) is None


def test_another_subnet_replaces_an_empty_network(client: DockerClient, settings: Settings) -> None:
    """Nobody is on it: it gets the new subnet, and no rule of the old address is left."""
    ensure_network(client, settings)
    other = settings.model_copy(
        update={"docker": settings.docker.model_copy(update={"subnet": OTHER, "outside": True})}
    )
    ensure_network(client, other)
    network = client.networks.get(named(settings))
    assert network.attrs["IPAM"]["Config"][0]["Subnet"] == OTHER
    assert network.attrs["Internal"] is False
    assert settings.bridge not in rules()


def test_a_network_in_use_is_left_alone(
    client: DockerClient, settings: Settings, images_lock: Path
) -> None:
    """Another subnet is refused by a sentence, and the network is not removed."""
    ensure_network(client, settings)
    image = read_lock(images_lock).current("base").id
    container = client.containers.run(
        image, ("sleep", "60"), detach=True, init=True, **on_network(settings)
    )
    try:
        other = with_docker(settings.home, subnet=OTHER)
        with pytest.raises(OtherNetworkError, match=rf"{SUBNET} .*Stop people's servers"):
            ensure_network(client, other)
        assert not remove_network(client, settings)
        assert mark(settings) in rules()
    finally:
        container.remove(force=True)


@pytest.fixture(scope="module")
def outside() -> Iterator[Host]:
    """Give a host beyond this one."""
    with host_outside() as host:
        yield host


@pytest.fixture(scope="module")
def published(client: DockerClient, images_lock: Path) -> Iterator[int]:
    """Give the port of this host that another container has published, such as a database's."""
    image = read_lock(images_lock).current("base").id
    serve = ("python3", "-m", "http.server", "5432")
    container = client.containers.run(image, serve, detach=True, init=True, ports={"5432": None})
    try:
        container.reload()
        port = int(container.ports["5432/tcp"][0]["HostPort"])
        wait_for(lambda: reachable("127.0.0.1", port), 10, container.logs)
        yield port
    finally:
        container.remove(force=True)


@pytest.mark.parametrize("open_to_world", [False, True])
def test_what_a_container_reaches(
    client: DockerClient,
    settings: Settings,
    images_lock: Path,
    outside: Host,
    published: int,
    open_to_world: bool,
) -> None:
    """Hub, control and gateway; nothing else of this host, nobody outside unless it is said so.

    A container on the engine's own network reaches all of it: there is something to be reached.
    """
    image = read_lock(images_lock).current("base").id
    docker = settings.docker.model_copy(update={"outside": open_to_world})
    settings = settings.model_copy(update={"docker": docker})
    ensure_network(client, settings)
    with ExitStack() as stack:
        ports = (settings.hub.api_port, settings.control.port, settings.gateway.port)
        platform = [(settings.bridge, port) for port in ports]
        for host, port in platform:
            stack.enter_context(listening(host, port))
        everywhere = stack.enter_context(listening("0.0.0.0"))  # noqa: S104  the case
        on_bridge = stack.enter_context(listening(settings.bridge))
        subnet = client.networks.get("bridge").attrs["IPAM"]["Config"][0]["Subnet"]
        engines = str(ipaddress.ip_network(subnet)[1])
        this = [(settings.bridge, everywhere), (settings.bridge, on_bridge)]
        this += [(settings.bridge, published), (engines, published)]
        this += [(engines, everywhere), (outside.near, everywhere)]
        beyond = [(outside.address, outside.port)]
        found = tried(client, image, [*platform, *this, *beyond], **on_network(settings))
        assert [found[f"{h}:{p}"] for h, p in platform] == [True, True, True]
        assert [found[f"{h}:{p}"] for h, p in this] == [False] * 6
        assert [found[f"{h}:{p}"] for h, p in beyond] == [open_to_world]
        others = [*this[4:], *beyond]
        assert all(tried(client, image, others).values())


def test_containers_do_not_reach_each_other(
    client: DockerClient, settings: Settings, images_lock: Path
) -> None:
    """Neither by address nor by the name that the engine would tell; and names lead nowhere."""
    image = read_lock(images_lock).current("base").id
    ensure_network(client, settings)
    serve = ("python3", "-m", "http.server", "8888")
    first = client.containers.run(
        image, serve, detach=True, init=True, name=named(settings, "first"), **on_network(settings)
    )
    try:
        first.reload()
        address = first.attrs["NetworkSettings"]["Networks"][named(settings)]["IPAddress"]
        wait_for(lambda: reachable(address, 8888), 10, first.logs)  # from this host
        targets = [(address, 8888), (named(settings, "first"), 8888), ("example.com", 80)]
        assert not any(tried(client, image, targets, **on_network(settings)).values())
    finally:
        first.remove(force=True)


def tried(
    client: DockerClient, image: str, targets: list[tuple[str, int]], **network: Any
) -> dict[str, bool]:
    """Return what a container of a network reaches."""
    said = client.containers.run(image, ("python3", "-c", attempt(targets)), remove=True, **network)
    found: dict[str, bool] = json.loads(said)
    return found


def test_a_subnet_that_others_have_is_named(client: DockerClient, tmp_path: Path) -> None:
    """Be it another network of the engine's or one of the host's own; no rule is made for it."""
    bridge = client.networks.get("bridge").attrs["IPAM"]["Config"][0]["Subnet"]
    settings = with_docker(tmp_path, subnet=bridge)
    with pytest.raises(SubnetTakenError, match=r"docker\.subnet"):
        ensure_network(client, settings)
    assert mark(settings) not in rules()


def test_two_homes_do_not_share_a_subnet(
    client: DockerClient, settings: Settings, tmp_path: Path
) -> None:
    """The second is told, and the first keeps its rules."""
    ensure_network(client, settings)
    with pytest.raises(SubnetTakenError, match=SUBNET):
        ensure_network(client, with_docker(tmp_path / "second", subnet=SUBNET))
    assert mark(settings) in rules()


def test_without_root_it_says_what_is_not_held(
    client: DockerClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network itself still leads nowhere; the sentence has the command for root."""
    with monkeypatch.context() as patch:
        patch.setattr("os.geteuid", lambda: 1000)
        ensure_network(client, settings)
        assert client.networks.get(named(settings)).attrs["Internal"] is True
        said = firewall.not_held(settings)
    assert said is not None
    assert "every port of this host" in said
    assert f"--home {settings.path()} network up" in said
    assert f"TY-{mark(settings)}" not in rules()


def test_commands_for_root(settings: Settings, client: DockerClient) -> None:
    """`tiltyard network up` makes both, so that others see that the rules hold; `down` removes."""
    environment = {
        "TILTYARD_RUNTIME": "docker",
        "TILTYARD_HOME": str(settings.path()),
        "TILTYARD_DOCKER__SUBNET": SUBNET,
    }
    runner = CliRunner(env=environment)
    made = runner.invoke(app, ["network", "up"])
    assert made.exit_code == 0, made.output
    assert firewall.not_held(settings) is None
    gone = runner.invoke(app, ["network", "down"])
    assert gone.exit_code == 0, gone.output
    assert not client.networks.list(names=[named(settings)])
