"""Pushing to a real registry that listens on this host only."""

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.small_images import SmallImages
from support.worker import wait_for
from tiltyard.containers.pushing import push_images
from tiltyard.errors import InvalidInputError, NotFoundError, UnavailableError

pytestmark = pytest.mark.slow


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """Start an empty registry; return its address."""
    program = shutil.which("docker-registry")
    assert program, "install docker-registry, as scripts/test does"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = tmp_path / "registry.json"  # JSON is YAML
    config.write_text(
        json.dumps(
            {
                "version": 0.1,
                "log": {"level": "error"},
                "storage": {"filesystem": {"rootdirectory": str(tmp_path / "registry")}},
                "http": {"addr": address},
            }
        )
    )
    with (tmp_path / "registry.log").open("w") as log:
        process = subprocess.Popen([program, "serve", config], stdout=log, stderr=log)
    try:
        host, _, port = address.partition(":")
        wait_for(lambda: _answers(host, int(port)))
        yield address
    finally:
        process.terminate()
        process.wait(10)


def _answers(host: str, port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex((host, port)) == 0


def test_what_was_pushed_is_recorded_by_its_digest(
    small_images: SmallImages, registry: str
) -> None:
    """By it another engine gets the very image of the record."""
    small_images.shrink()
    small_images.build()
    told: list[str] = []
    pushed = push_images(small_images.settings, ["lab-python"], registry=registry, tell=told.append)
    lab = small_images.lock().current("lab-python")
    assert pushed == {"lab-python": lab}
    assert lab.digest is not None
    assert lab.digest.startswith(f"{registry}/{small_images.name}/lab-python@sha256:")
    assert told == [f"lab-python: push {registry}/{lab.tag}"]
    assert small_images.lock().current("base").digest is None

    for tag in (lab.tag, f"{registry}/{lab.tag}"):
        small_images.client.images.remove(tag, force=True)
    assert small_images.client.images.pull(lab.digest).id == lab.id
    small_images.client.images.get(lab.id).tag(*lab.tag.split(":"))

    assert small_images.build() == small_images.lock()
    assert small_images.lock().current("lab-python") == lab


def test_the_base_comes_from_a_registry(small_images: SmallImages, registry: str) -> None:
    """It is pulled when it is not here."""
    small_images.shrink()
    first = small_images.build("base").current("base")
    push_images(small_images.settings, ["base"], registry=registry, tell=small_images.told.append)
    reference = f"{registry}/{first.tag}"
    small_images.client.images.remove(reference)
    small_images.write("base", "Dockerfile", "ARG BASE\nFROM ${BASE}\nENV from=registry\n")
    lock = small_images.build(base=reference)
    assert f"base: pull {reference}" in small_images.told
    assert set(lock.sets[-1].images) == {"base", "scorer-python", "lab-python"}


def test_all_of_the_newest_set_is_pushed(small_images: SmallImages, registry: str) -> None:
    """A name that begins with a registry is enough."""
    small_images.shrink()
    small_images.settings = small_images.settings.model_copy(
        update={
            "images": small_images.settings.images.model_copy(
                update={"name": f"{registry}/{small_images.name}"}
            )
        }
    )
    small_images.build()
    pushed = push_images(small_images.settings, [], registry=None, tell=small_images.told.append)
    assert set(pushed) == {"base", "scorer-python", "lab-python"}
    assert all(image.digest for image in small_images.lock().every())


def test_what_cannot_be_pushed_is_told(small_images: SmallImages) -> None:
    """No record, no registry named, none there; nothing is recorded."""
    small_images.shrink()

    def push(registry: str | None) -> None:
        push_images(small_images.settings, [], registry=registry, tell=small_images.told.append)

    with pytest.raises(NotFoundError, match="tiltyard images build"):
        push("127.0.0.1:9")
    before = small_images.build()
    with pytest.raises(InvalidInputError, match="--registry"):
        push(None)
    with pytest.raises(UnavailableError, match=r"was not pushed.*docker login"):
        push("127.0.0.1:9")
    assert small_images.lock() == before
    small_images.client.images.remove(before.current("base").tag, force=True)
    gone = before.current("lab-python")
    small_images.client.images.remove(gone.tag, force=True)
    with pytest.raises(NotFoundError, match="recorded but not at this Docker Engine"):
        push_images(small_images.settings, [gone.name], registry="127.0.0.1:9", tell=print)
