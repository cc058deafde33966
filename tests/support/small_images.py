"""A project whose images build in a second, on the base image of the tests."""

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import APIError

from tiltyard.containers.building import Origin, build_images
from tiltyard.containers.images import ImagesLock, read_lock
from tiltyard.containers.inputs import Inputs
from tiltyard.settings import Settings, load_settings

BASE = "ARG BASE\nFROM ${BASE}\nRUN echo one >/tmp/base\n"
NEXT = "ARG BASE\nFROM ${BASE}\nRUN echo one >/tmp/next\n"


class SmallImages:
    """Three images, their record and the engine they are built at."""

    def __init__(self, folder: Path, on: str) -> None:
        self.folder = folder / "spawner_images"
        self.name = f"tiltyard-test-{uuid.uuid4().hex[:8]}"
        self.client = docker.from_env()
        self.told: list[str] = []
        for image, text in (("base", BASE), ("scorer-python", NEXT), ("lab-python", NEXT)):
            self.write(image, "Dockerfile", text)
            self.write(image, "requirements.lock", "one\n")
        self.settings: Settings = load_settings(
            home=folder / "home", images={"path": self.folder, "name": self.name, "base": on}
        )

    def write(self, image: str, file: str, text: str) -> None:
        """Write a file of an image."""
        path = self.folder / image / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def shrink(self) -> None:
        """Leave nothing in the images but what the record needs: quickly pushed."""
        place = "/usr/share/tiltyard/packages.json"
        self.write("base", "packages.json", "{}\n")
        copy = f"COPY spawner_images/base/packages.json {place}\n"
        self.write("base", "Dockerfile", f"FROM scratch\n{copy}")
        for image in ("scorer-python", "lab-python"):
            copy = f"COPY spawner_images/{image}/requirements.lock /{image}\n"
            self.write(image, "Dockerfile", f"ARG BASE\nFROM ${{BASE}}\n{copy}")

    def build(
        self,
        *names: str,
        inputs: Inputs | None = None,
        base: str | None = None,
        fresh: bool = False,
    ) -> ImagesLock:
        """Build and record."""
        return build_images(
            self.settings,
            list(names),
            origin=Origin(reference=base, fresh=fresh),
            inputs=inputs or Inputs(),
            tell=self.told.append,
        )

    def lock(self) -> ImagesLock:
        """Return the record."""
        return read_lock(self.settings.images_lock)

    def text(self, image: str, path: str) -> str:
        """Return a file of the newest image of a name."""
        said: bytes = self.client.containers.run(
            self.lock().current(image).id,
            ["cat", path],
            entrypoint="",
            remove=True,
            network_mode="none",
        )
        return said.decode()

    def tags(self) -> list[str]:
        """Return the names of all images that were built here or pushed from here."""
        found = [
            name
            for image in self.client.api.images()
            for name in (*(image["RepoTags"] or ()), *(image["RepoDigests"] or ()))
        ]
        return [name for name in found if f"{self.name}/" in name]

    def close(self) -> None:
        """Remove all of them."""
        for tag in self.tags():
            with contextlib.suppress(APIError):
                self.client.images.remove(tag, force=True)
        self.client.close()


@pytest.fixture
def small_images(tmp_path: Path, images_lock: Path) -> Iterator[SmallImages]:
    """Return a small project; its images are removed afterwards."""
    small = SmallImages(tmp_path, read_lock(images_lock).current("base").tag)
    yield small
    small.close()
