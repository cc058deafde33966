"""Removes images of older sets, from the record and from the engine."""

from contextlib import closing
from typing import TYPE_CHECKING

from tiltyard.containers.building import TIMEOUT_S
from tiltyard.containers.engine import connect, translated
from tiltyard.containers.images import ImageSet, ImagesLock, RecordedImage
from tiltyard.containers.recording import update
from tiltyard.settings import Settings

if TYPE_CHECKING:
    from docker import DockerClient


def prune_images(settings: Settings, keep: int) -> list[RecordedImage]:
    """Forget all but the newest sets and remove their images; return what was removed.

    A set of which a container is left, stopped or not, is kept whole.

    Args:
        settings: of the engine and the record.
        keep: how many of the newest sets stay, at least 1.

    Raises:
        UnavailableError: no engine answers; nothing is forgotten.
        IntegrityError: the record cannot be read.
    """
    forgotten: list[RecordedImage] = []
    with closing(connect(settings, TIMEOUT_S)) as client, translated(settings):

        def forget(lock: ImagesLock) -> ImagesLock:
            old, newest = lock.sets[:-keep], lock.sets[-keep:]
            kept = (*(one for one in old if _used(client, one)), *newest)
            stays = {image.id for one in kept for image in one.images.values()}
            gone = {image.id: image for image in lock.every() if image.id not in stays}
            forgotten.extend(gone.values())
            return lock.model_copy(update={"sets": kept})

        update(settings.images_lock, forget)
        for image in forgotten:
            _remove(client, image)
    return forgotten


def _used(client: "DockerClient", one: ImageSet) -> bool:
    return any(
        client.api.containers(all=True, filters={"ancestor": image.id}, quiet=True)
        for image in one.images.values()
        if _is_here(client, image.id)
    )


def _is_here(client: "DockerClient", name: str) -> bool:
    from docker.errors import ImageNotFound  # noqa: PLC0415  an extra

    try:
        client.images.get(name)
    except ImageNotFound:
        return False
    return True


def _remove(client: "DockerClient", image: RecordedImage) -> None:
    """Remove the image's names; the last one takes the image with it."""
    if not _is_here(client, image.id):
        return
    found = client.images.get(image.id)
    for name in (*found.tags, *found.attrs.get("RepoDigests", ())):
        if _is_here(client, name):
            client.images.remove(name)
