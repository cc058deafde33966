"""How long a user waits for JupyterLab: Tiltyard's hub, and stock DockerSpawner, same image.

``PYTHONPATH=tests python benchmarks/spawn.py [rounds]``: two hubs with their proxies, one network
each; in turn a user of each starts a server and stops it. ``TILTYARD_TEST_IMAGES`` names the
record of images. Prints both medians and their ratio; from the click to an answering server.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from docker import DockerClient
from docker.types import IPAMConfig, IPAMPool

from support.containers import own_subnet, settings_of
from support.hub import DIES_WITH_US, PASSWORDS, HubSite, Visitor, add_people, answers, free_port
from support.hub import wait_for as wait
from tiltyard.containers.ending import end_all
from tiltyard.containers.engine import connect
from tiltyard.containers.images import read_lock
from tiltyard.containers.labels import Role, filters
from tiltyard.containers.network import ensure_network, remove_network
from tiltyard.settings import Settings

ROUNDS = 9
NAME = "sam"
HOME_PAGE = "/hub/login?next=%2Fhub%2Fhome"  # starts nothing
STOCK = "tiltyard-bench-stock"
CONFIG = """
c = get_config()
c.JupyterHub.bind_url = "http://127.0.0.1:{port}/"
c.JupyterHub.hub_bind_url = "http://{gateway}:{api_port}"
c.JupyterHub.db_url = "sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{folder}/cookie"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.ConfigurableHTTPProxy.command = "{proxy}"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.ConfigurableHTTPProxy.pid_file = "{folder}/proxy.pid"
c.JupyterHub.spawner_class = "docker"
c.DockerSpawner.image = "{image}"
c.DockerSpawner.network_name = "{network}"
c.DockerSpawner.use_internal_ip = True
c.DockerSpawner.pull_policy = "never"
c.DockerSpawner.remove = True
c.DockerSpawner.volumes = {{"{network}-{{username}}": "/home/yard"}}
c.Spawner.default_url = "/lab"
"""


def spawn(visitor: Visitor) -> float:
    """Return the seconds from asking for a server to its answering."""
    begun = time.perf_counter()
    asked = visitor.call("POST", f"/users/{NAME}/server")
    assert asked.status_code in {201, 202}, asked.text
    while not visitor.call("GET", f"/users/{NAME}").json().get("server"):
        time.sleep(0.02)
    taken = time.perf_counter() - begun
    visitor.call("DELETE", f"/users/{NAME}/server")
    wait(lambda: visitor.call("GET", f"/users/{NAME}").json()["servers"] == {}, 60)
    return taken


@contextmanager
def tiltyards(client: DockerClient, folder: Path, lock: str) -> Iterator[Visitor]:
    """Give a user of Tiltyard's hub."""
    site = HubSite(
        folder,
        TILTYARD_RUNTIME="docker",
        TILTYARD_DOCKER__SUBNET=own_subnet(100),
        TILTYARD_IMAGES__LOCK=lock,
    )
    settings = settings_of(site.environment)
    site.api = settings.hub_api_url
    ensure_network(client, settings)
    try:
        with site, Visitor(site.url) as visitor:
            add_people(site.api, site.token("hub-cli"))
            visitor.login(NAME, PASSWORDS[NAME], HOME_PAGE)
            yield visitor
    finally:
        end_all(settings, Role.SERVER)
        remove_network(client, settings)
        for volume in client.volumes.list(filters=filters(settings)):
            volume.remove()


@contextmanager
def stock(client: DockerClient, folder: Path, image: str) -> Iterator[Visitor]:
    """Give a user of a hub with DockerSpawner as its page of documentation sets it up."""
    subnet = own_subnet(200)
    gateway = subnet.replace(".0/24", ".1")
    pool = IPAMConfig(pool_configs=[IPAMPool(subnet=subnet, gateway=gateway)])
    network = client.networks.create(STOCK, ipam=pool)
    port = free_port()
    beside = Path(sys.executable).parent
    config = folder / "config.py"
    config.write_text(
        CONFIG.format(
            port=port,
            gateway=gateway,
            api_port=free_port(),
            proxy_port=free_port(),
            folder=folder,
            proxy=beside / "configurable-http-proxy",
            image=image,
            network=STOCK,
        )
    )
    path = f"{beside}:{os.environ['PATH']}"
    process = subprocess.Popen(
        [*DIES_WITH_US, "-m", "jupyterhub", "--config", str(config)],
        env={**os.environ, "PATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait(lambda: answers(f"http://127.0.0.1:{port}/hub/health"), 60)
        with Visitor(f"http://127.0.0.1:{port}") as visitor:
            visitor.login(NAME, "any", HOME_PAGE)
            yield visitor
    finally:
        process.terminate()
        process.wait(60)
        network.remove()
        client.volumes.get(f"{STOCK}-{NAME}").remove()


def main(rounds: int) -> None:
    """Measure in turn."""
    lock = os.environ["TILTYARD_TEST_IMAGES"]
    image = read_lock(Path(lock)).current("lab-python").id
    with tempfile.TemporaryDirectory() as name, closing(connect(Settings())) as client:
        folders = [Path(name) / "ours", Path(name) / "stock"]
        for folder in folders:
            folder.mkdir()
        with tiltyards(client, folders[0], lock) as ours, stock(client, folders[1], image) as peer:
            spawn(ours), spawn(peer)  # the pages of both are in memory, and volumes made
            pairs = [(spawn(ours), spawn(peer)) for _ in range(rounds)]
    mine, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"Tiltyard {mine:.2f} s, stock DockerSpawner {theirs:.2f} s: {mine / theirs:.2f} x")
    print(" ".join(f"{a:.2f}/{b:.2f}" for a, b in pairs))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
