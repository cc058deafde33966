"""Takes recorded images to a registry and records their digests."""

from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from tiltyard.containers.building import TIMEOUT_S
from tiltyard.containers.engine import connect, translated
from tiltyard.containers.images import RecordedImage, check_present, read_lock
from tiltyard.containers.recipes import BASE
from tiltyard.containers.recording import update, with_digest
from tiltyard.errors import InvalidInputError, UnavailableError
from tiltyard.settings import Settings

if TYPE_CHECKING:
    from docker import DockerClient


def push_images(
    settings: Settings,
    names: list[str],
    *,
    registry: str | None,
    tell: Callable[[str], None],
) -> dict[str, RecordedImage]:
    """Push images of the newest set; return them with their digests, which are recorded.

    Args:
        settings: of the engine and the record.
        names: of images; none means all of the newest set.
        registry: what goes in front of the images' names; None when ``images.name`` has it.
        tell: is called with a line for each image.

    Raises:
        NotFoundError: an image is not recorded, or not at the engine.
        InvalidInputError: neither a registry nor a name that begins with one.
        UnavailableError: engine or registry is away, or the registry refuses.
    """
    lock = read_lock(settings.images_lock)
    if not names and lock.sets:
        names = list(lock.sets[-1].images)
    images = [lock.current(name) for name in names or [BASE]]
    if registry is None and not _names_a_registry(settings.images.name):
        raise InvalidInputError(
            "No registry is named: give --registry HOST[/PATH], or put it in front of images.name."
        )
    pushed: dict[str, RecordedImage] = {}
    with closing(connect(settings, TIMEOUT_S)) as client:
        for image in images:
            with translated(settings):
                check_present(client, image)
            target = image.tag if registry is None else f"{registry.rstrip('/')}/{image.tag}"
            tell(f"{image.name}: push {target}")
            digest = _push(client, settings, image, target)
            after = update(
                settings.images_lock, partial(with_digest, image_id=image.id, digest=digest)
            )
            pushed[image.name] = after.current(image.name)
    return pushed


def _push(client: "DockerClient", settings: Settings, image: RecordedImage, target: str) -> str:
    repository, _, tag = target.rpartition(":")
    with translated(settings):
        client.images.get(image.id).tag(repository, tag)
        said = client.images.push(repository, tag=tag, stream=True, decode=True)
        for line in said:
            if "error" in line:
                raise UnavailableError(
                    f"{target} was not pushed ({line['error']}): is the registry up, and are you "
                    "logged in (`docker login`)?"
                )
            digest = line.get("aux", {}).get("Digest")
            if digest:
                return f"{repository}@{digest}"
    raise UnavailableError(f"The registry has told no digest of {target}: push it again.")


def _names_a_registry(name: str) -> bool:
    """Whether a name begins with a host, as Docker sees it."""
    host, slash, _ = name.partition("/")
    return bool(slash) and ("." in host or ":" in host or host == "localhost")
