"""Images to choose from, and a running Tiltyard whose people work in containers."""

import io
import os
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from docker import DockerClient
from playwright.sync_api import Browser

from support.browser import chromium
from support.containers import ContainerYard
from support.engine_door import EngineDoor
from support.images import images_lock
from tiltyard.containers.engine import connect
from tiltyard.containers.images import RecordedImage, read_lock, write_lock
from tiltyard.settings import Settings

__all__ = ["images_lock"]

WORDS = "Python as ever, and more of it"
OFFERS = '{"scientists": ["lab-python", "lab-more"], "promoters": ["lab-python", "lab-broken"]}'
_MORE = 'FROM {base}\nLABEL org.opencontainers.image.description="{words}"\n'
_BROKEN = (
    "FROM {base}\nUSER root\n"
    'RUN printf "#!/bin/sh\\necho no pipelines today >&2\\nexit 3\\n" >/usr/local/bin/start-lab\n'
    "USER 10001:10001\n"
)


@pytest.fixture(scope="session")
def client() -> Iterator[DockerClient]:
    """Give the engine."""
    with closing(connect(Settings())) as client:
        yield client


@pytest.fixture(scope="module")
def lock(
    client: DockerClient, images_lock: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Give a record with another lab image beside lab-python, and one that never starts."""
    recorded = read_lock(images_lock)
    lab = recorded.current("lab-python")
    made = {
        name: _build(client, name, text.format(base=lab.id, words=WORDS))
        for name, text in (("lab-more", _MORE), ("lab-broken", _BROKEN))
    }
    newest = recorded.sets[-1]
    images = {**newest.images, lab.name: lab, **made}
    path = tmp_path_factory.mktemp("images") / "images.lock"
    everything = (*recorded.sets[:-1], newest.model_copy(update={"images": images}))
    write_lock(path, recorded.model_copy(update={"sets": everything}))
    try:
        yield path
    finally:
        for image in made.values():
            client.images.remove(image.tag, force=True)


def _build(client: DockerClient, name: str, text: str) -> RecordedImage:
    tag = f"tiltyard-test-{os.getpid()}:{name}"
    built, _ = client.images.build(fileobj=io.BytesIO(text.encode()), tag=tag, rm=True)
    return RecordedImage(
        name=name, id=built.id, tag=tag, size_bytes=built.attrs["Size"], packages="0" * 64
    )


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineDoor]:
    """Give the door through which the site reaches the engine."""
    with closing(EngineDoor(tmp_path_factory.mktemp("door") / "docker.sock")) as door:
        yield door


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, lock: Path, door: EngineDoor
) -> Iterator[ContainerYard]:
    """Give a running Tiltyard with the demo's lake, in which people have a role each."""
    yard = ContainerYard(
        tmp_path_factory.mktemp("site"),
        lock,
        TILTYARD_DOCKER__URL=door.url,
        TILTYARD_SERVERS__IMAGES=OFFERS,
        TILTYARD_SERVERS__MEMORY_MB="1500",
        TILTYARD_SERVERS__PIDS="400",
    )
    try:
        loaded = yard.run("lake", "load")
        assert loaded.returncode == 0, loaded.stderr
        yard.start()
        yard.add_people()
        yield yard
    finally:
        yard.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give a browser; Playwright's loop must not run on beside other tests."""
    with chromium() as browser:
        yield browser


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of every log of a site whose test failed."""
    report = yield
    found = getattr(item, "funcargs", {}).get("site")
    if report.failed and found is not None:
        report.sections.append(("logs", found.logs()))
    return report
