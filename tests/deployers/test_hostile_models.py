"""Model files that attack when they are loaded: refused with a reason; the champion answers on."""

import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import yard
from support.control import make_home, tar_of
from support.hostile import EATS, FILLS, FORKS, connects_to, hostile_folder
from support.runtimes import DockerRuntime
from support.sites import Site, open_site, score
from tiltyard.types.registry import Deployment, DeploymentState

pytestmark = pytest.mark.slow

MEMORY_MB = 300
PIDS = 64

Attack = Callable[[str, str], Deployment]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an honest version."""
    return yard.Versions(tmp_path_factory.mktemp("versions")).folder(1)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, good: Path, images_lock: Path) -> Iterator[Site]:
    """Return a site where version 1 is healthy."""
    settings = make_home(
        tmp_path_factory.mktemp("site") / "home",
        runtime="docker",
        images={"lock": str(images_lock)},
        sizes={"small": {"memory_mb": MEMORY_MB, "cpus": 1.0, "pids": PIDS}},
    )
    with open_site(settings, good) as site:
        site.until(site.deploy(), DeploymentState.HEALTHY)
        yield site


@pytest.fixture
def attack(site: Site, good: Path, tmp_path: Path) -> Attack:
    """Deploy a version whose model file runs some code; return how the deployment ended.

    Version 1 answers meanwhile and afterwards.
    """
    champion = next(d for d in site.control.client().deployments(yard.MODEL) if d.version == 1)

    def attack(name: str, code: str) -> Deployment:
        before = score(site, champion.endpoints[0])
        folder = hostile_folder(good, tmp_path / name, code)
        made = site.control.client("scientist").add_version(yard.MODEL, tar_of(folder))
        deployment = site.deploy(made.version)

        def ended() -> bool:
            assert score(site, champion.endpoints[0]) == before
            return site.state(deployment).state is not DeploymentState.STARTING

        site.step_until(ended, 60)
        assert len(site.runtime.left()) == 1
        assert site.state(champion).state is DeploymentState.HEALTHY
        return site.state(deployment)

    return attack


def test_one_that_forks(attack: Attack) -> None:
    """It comes to the limit of its processes."""
    ended = attack("forks", FORKS)
    assert ended.state is DeploymentState.REFUSED
    assert "Resource temporarily unavailable" in str(ended.reason)


def test_one_that_fills_the_disk(attack: Attack) -> None:
    """It may write to nothing but a little memory of its own."""
    ended = attack("fills", FILLS)
    assert ended.state is DeploymentState.REFUSED
    assert "/run: Permission denied" in str(ended.reason)
    for place in ("tmp", "socket"):
        assert f"/{place}: No space" in str(ended.reason)
    for place in ("version", "opt/venv", ""):
        assert f"/{place}: Read-only" in str(ended.reason)


def test_one_that_eats_memory(attack: Attack) -> None:
    """It is killed; the reason says how much it may have and what to do."""
    ended = attack("eats", EATS)
    assert ended.state is DeploymentState.FAILED
    assert f"{MEMORY_MB} MB" in str(ended.reason)
    assert "--size" in str(ended.reason)


REACHES = """
import os, socket, sys
found = []
for host, port in [t.rsplit(":", 1) for t in sys.argv[1:]]:
    try:
        socket.create_connection((host, int(port)), 2).close()
        found.append(f"{host}:{port}")
    except OSError:
        pass
found += [p for p in ("/var/run/docker.sock", "/run/docker.sock") if os.path.exists(p)]
names = [name for _, name in socket.if_nameindex()]
print(found, names, os.getuid() != 0, sorted(os.listdir("/socket")))
"""


def test_what_a_scorer_reaches(site: Site) -> None:
    """No port of this host on any of its addresses, no engine, no other scorer's socket."""
    assert isinstance(site.runtime, DockerRuntime)
    addresses = subprocess.run(
        ["hostname", "--all-ip-addresses"], capture_output=True, text=True, check=True
    ).stdout.split()
    (container,) = site.runtime.containers(version="1")
    with socket.create_server(("0.0.0.0", 0)) as listener:  # noqa: S104  what is tried
        port = listener.getsockname()[1]
        targets = [f"{host}:{port}" for host in ("127.0.0.1", *addresses) if ":" not in host]
        done = container.exec_run(["python", "-c", REACHES, *targets])
    assert done.output.decode().strip() == "[] ['lo'] True ['s.sock']"


def test_one_that_connects_out(attack: Attack) -> None:
    """It has no network, so that even this machine is out of reach."""
    with socket.create_server(("0.0.0.0", 0)) as listener:  # noqa: S104  what is attacked
        port = listener.getsockname()[1]
        for host in ("127.0.0.1", "172.17.0.1"):
            ended = attack(f"connects-{host}", connects_to(host, port))
            assert ended.state is DeploymentState.REFUSED
            assert "cannot be loaded" in str(ended.reason)
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()
