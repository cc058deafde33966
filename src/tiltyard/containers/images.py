"""The site's record of images: ``images.lock``, and what is run by it.

Images come in sets: what was built together, from one resolution of packages, so that a model
pickled in a set's lab image loads in its scorer image. The newest set serves; older ones stay
for the versions that were trained in them.
"""

import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from tiltyard.errors import IntegrityError, NotFoundError
from tiltyard.types.base import Document

if TYPE_CHECKING:
    from docker import DockerClient

LAB = "lab-"
SCORER = "scorer-"
FORMAT = 1


class RecordedImage(Document):
    """One image as it was built.

    Attributes:
        name: such as ``lab-python``.
        id: ``sha256:…`` of its configuration; what containers are started by.
        tag: the name it has at the engine.
        digest: ``name@sha256:…`` once it was pushed.
        size_bytes: as the engine counts it.
        packages: SHA-256 of the list of packages inside it.
    """

    name: str
    id: str
    tag: str
    digest: str | None = None
    size_bytes: int
    packages: str


class ImageSet(Document):
    """Images from one resolution.

    Attributes:
        resolution: SHA-256 of the lock files they were built from.
        revision: of Tiltyard's source.
        images: by name.
    """

    resolution: str
    revision: str
    built_at: datetime
    images: dict[str, RecordedImage]


class ImagesLock(Document):
    """What ``images.lock`` holds; sets in the order in which they were built."""

    format: int = FORMAT
    sets: tuple[ImageSet, ...] = ()

    def current(self, name: str) -> RecordedImage:
        """Return the newest image of a name.

        Raises:
            NotFoundError: none is recorded.
        """
        for one in reversed(self.sets):
            if name in one.images:
                return one.images[name]
        raise NotRecordedError(name, sorted({n for one in self.sets for n in one.images}))

    def labs(self) -> tuple[RecordedImage, ...]:
        """Return the newest image of each name that people can work in."""
        names = {n for one in self.sets for n in one.images if n.startswith(LAB)}
        return tuple(self.current(name) for name in sorted(names))

    def scorer_for(self, trained_in: str | None, language: str) -> RecordedImage:
        """Return the scorer image for a version.

        Args:
            trained_in: id of the image it was trained in; None, or one that is recorded no more,
                takes the newest set.
            language: ``python`` or ``r``.

        Raises:
            NotFoundError: no scorer image of the language is recorded.
        """
        name = f"{SCORER}{language}"
        for one in reversed(self.sets):
            if name in one.images and trained_in in {image.id for image in one.images.values()}:
                return one.images[name]
        return self.current(name)

    def every(self) -> Iterator[RecordedImage]:
        """Yield every recorded image, oldest set first."""
        for one in self.sets:
            yield from one.images.values()


class NotRecordedError(NotFoundError):
    """No image of this name is recorded."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__("recorded image", name, known)
        self.message += " Build the images by `tiltyard images build`."
        self.args = (self.message,)


def read_lock(path: Path) -> ImagesLock:
    """Read the record; one that is not there is empty.

    Raises:
        IntegrityError: it cannot be read as what it should be.
    """
    try:
        return ImagesLock.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return ImagesLock()
    except (OSError, ValidationError) as error:
        raise IntegrityError(
            f"{path} is no record of images ({type(error).__name__}): restore it from a backup, or "
            "move it away and run `tiltyard images build`."
        ) from None


def write_lock(path: Path, lock: ImagesLock) -> None:
    """Replace the record in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(lock.model_dump(mode="json"), file, indent=2, sort_keys=True)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def check_present(client: "DockerClient", image: RecordedImage) -> None:
    """See that the engine has the recorded image itself, whatever its tag says now.

    Raises:
        NotFoundError: it is not there.
    """
    from docker.errors import ImageNotFound  # noqa: PLC0415  an extra

    try:
        client.images.get(image.id)
    except ImageNotFound:
        raise ImageAwayError(image) from None


class ImageAwayError(NotFoundError):
    """A recorded image is not at the engine."""

    def __init__(self, image: RecordedImage) -> None:
        super().__init__("image", f"{image.name} ({image.id[:19]})")
        pull = f"`docker pull {image.digest}`" if image.digest else "`docker load` of a copy"
        self.message = (
            f"Image {image.name} ({image.id[:19]}) is recorded but not at this Docker Engine: get "
            f"it by {pull}, or build anew by `tiltyard images build`."
        )
        self.args = (self.message,)
