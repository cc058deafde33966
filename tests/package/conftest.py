"""One version, exported by the command line, beside a gateway in front of the same version."""

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import docker
import pytest
from docker import DockerClient
from docker.models.networks import Network

from support import typed
from support.control import make_home, serve, tar_of, version_folder
from support.gateway import TOKEN, Gateway, make_table, running
from support.images import images_lock
from support.packaged import Exported, Site, build, start, wait_until
from tiltyard.containers.images import read_lock

__all__ = ["images_lock"]


@pytest.fixture(scope="session")
def engine() -> Iterator[DockerClient]:
    """The machine's Docker Engine."""
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture(scope="session")
def site(
    tmp_path_factory: pytest.TempPathFactory, images_lock: Path, engine: DockerClient
) -> Iterator[Site]:
    """A control that holds the version, and one whose model is no model."""
    folder = tmp_path_factory.mktemp("versions")
    manifest = build(folder / "v1")
    route = typed.route(manifest, typed.MODEL, 1, "unix:/nowhere")
    settings = make_home(tmp_path_factory.mktemp("site") / "home")
    tag = f"tiltyard-test-{secrets.token_hex(4)}/typed:1"
    with serve(settings) as control:
        scientist = control.client("scientist")
        for name in (typed.MODEL, "broken"):
            scientist.put_model(name, manifest.task, route.call_schema)
        scientist.add_version(typed.MODEL, tar_of(folder / "v1"))
        signature = manifest.signature.model_dump(mode="json")
        broken = version_folder(folder / "v2", model="broken", signature=signature)
        scientist.add_version("broken", tar_of(broken))
        environment = {
            "TILTYARD_HOME": str(settings.home),
            "TILTYARD_CONFIG": str(folder / "none.toml"),
            "TILTYARD_CLIENT__URL": control.url,
            "TILTYARD_CLIENT__TOKEN": control.tokens["operator"],
            "TILTYARD_IMAGES__LOCK": str(images_lock),
        }
        yield Site(folder / "v1", manifest, environment, tag)
    for image in engine.images.list(tag.partition(":")[0]):
        engine.images.remove(image.id, force=True)


@pytest.fixture(scope="session")
def gateway(
    site: Site,
    engine: DockerClient,
    images_lock: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gateway]:
    """A gateway in front of the same version, in the same scorer image."""
    image = read_lock(images_lock).scorer_for(None, "python")
    with TemporaryDirectory(prefix="ty-") as sockets, ExitStack() as stack:
        path = Path(sockets, "s.sock")
        container = engine.containers.run(
            image.id,
            ["--folder", "/version", "--socket", "/socket/s.sock", "--version", "1"],
            detach=True,
            network_mode="none",
            user=f"{os.geteuid()}:{os.getegid()}",
            volumes=[f"{site.folder}:/version:ro", f"{sockets}:/socket"],
        )
        stack.callback(container.remove, force=True)
        wait_until(path.exists, lambda: container.logs().decode())
        table = make_table(typed.route(site.manifest, typed.MODEL, 1, f"unix:{path}"))
        home = tmp_path_factory.mktemp("home")
        yield stack.enter_context(running(home, table))


@pytest.fixture(scope="session")
def printed(site: Site) -> str:
    """What the command said when it made the image."""
    return site.package("--tag", site.tag).stdout


@pytest.fixture(scope="session")
def network(engine: DockerClient) -> Iterator[Network]:
    """A network that leads nowhere but to this machine."""
    made = engine.networks.create(f"tiltyard-test-{secrets.token_hex(4)}", internal=True)
    yield made
    made.remove()


@pytest.fixture(scope="session")
def exported(
    engine: DockerClient, site: Site, printed: str, network: Network
) -> Iterator[Exported]:
    """The exported image in a container, with a token."""
    with ExitStack() as stack:
        made = start(stack, engine, network, site.tag, TILTYARD_TOKEN=TOKEN)
        made.wait()
        yield made
