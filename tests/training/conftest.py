"""A served control with pipelines of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.control import Control, make_home, serve
from support.subnets import own_subnet
from tiltyard.containers.engine import connect
from tiltyard.containers.network import remove_network
from tiltyard.settings import Settings

SUBNET = own_subnet()


@pytest.fixture(scope="session")
def docker_settings(
    tmp_path_factory: pytest.TempPathFactory, images_lock: Path
) -> Iterator[Settings]:
    """A home whose runs are executed in containers; its network is removed at the end."""
    settings = Settings(
        home=tmp_path_factory.mktemp("docker") / "home",
        runtime="docker",
        docker={"subnet": SUBNET},
        images={"lock": str(images_lock)},
        runner={"memory_mb": 512, "disk_mb": 50},
    )
    settings.path().mkdir()
    yield settings
    client = connect(settings)
    try:
        assert remove_network(client, settings)
    finally:
        client.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home with a set-up registry and an empty folder of pipelines."""
    (tmp_path / "pipelines").mkdir()
    return make_home(tmp_path / "home", pipelines={"path": tmp_path / "pipelines"})


@pytest.fixture
def control(settings: Settings) -> Iterator[Control]:
    """A control of its own for a test."""
    with serve(settings) as served:
        yield served
