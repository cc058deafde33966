"""Which of the recorded images are offered to whom."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from tiltyard.containers.images import LAB, RecordedImage, read_lock
from tiltyard.errors import ForbiddenError, InvalidInputError
from tiltyard.settings import Settings


class NoImageError(ForbiddenError):
    """A person is in no group that images are offered to."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"No image is offered to {name}: ask an operator for a group of the setting "
            "servers.images."
        )


class NotOfferedError(InvalidInputError):
    """Somebody asked for an image that is not offered to them."""

    def __init__(self, wanted: Any, offered: Sequence[str]) -> None:
        super().__init__(
            f"The image {str(wanted)[:60]!r} is not offered to you: choose {' or '.join(offered)}."
        )


def offered(settings: Settings, name: str, groups: Collection[str]) -> tuple[RecordedImage, ...]:
    """Return the images that somebody chooses from, the first one being the default.

    Args:
        settings: with images by group; none means that all lab images are everybody's.
        name: of the person.
        groups: of the person.

    Raises:
        NoImageError: there are images, but not for this person.
        NotFoundError: none is recorded that could be offered.
        IntegrityError: the record cannot be read.
    """
    lock = read_lock(settings.images_lock)
    by_group = settings.servers.images
    recorded = {image.name: image for image in lock.labs()}
    if not by_group:
        return tuple(recorded.values()) or (lock.current(f"{LAB}python"),)
    names = [image for group, images in by_group.items() if group in groups for image in images]
    if not names:
        raise NoImageError(name)
    found = tuple(recorded[one] for one in dict.fromkeys(names) if one in recorded)
    return found or (lock.current(names[0]),)


def choose(images: Sequence[RecordedImage], wanted: Any) -> RecordedImage:
    """Return the image that somebody asked for, else the default.

    Raises:
        NotOfferedError: it is not among them.
    """
    if wanted is None:
        return images[0]
    for image in images:
        if image.name == wanted:
            return image
    raise NotOfferedError(wanted, [image.name for image in images])


def built_at(settings: Settings) -> dict[str, datetime]:
    """Return when each recorded image was built, by id."""
    sets = read_lock(settings.images_lock).sets
    return {image.id: one.built_at for one in sets for image in one.images.values()}
