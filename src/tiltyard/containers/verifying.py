"""Whether what is here is what is recorded."""

from contextlib import closing
from enum import StrEnum
from typing import TYPE_CHECKING

from tiltyard.containers.engine import connect, translated
from tiltyard.containers.images import ImagesLock, RecordedImage, read_lock
from tiltyard.containers.packages import packages_digest
from tiltyard.containers.recipes import Recipes
from tiltyard.errors import IntegrityError, InvalidInputError, NotFoundError
from tiltyard.settings import Settings
from tiltyard.types.base import Document

if TYPE_CHECKING:
    from docker import DockerClient


class State(StrEnum):
    """What is the matter with a recorded image."""

    PRESENT = "present"
    MISSING = "missing"
    MOVED = "tag moved"
    UNTAGGED = "tag missing"
    PACKAGES = "package list differs"


class Checked(Document):
    """One recorded image, and how it was found.

    Attributes:
        image: as it is recorded.
        state: what was found.
        newest: whether what starts now is made from it.
        mend: what to do; empty when all is well.
    """

    image: RecordedImage
    state: State
    newest: bool
    mend: str = ""


class Verified(Document):
    """What `tiltyard images verify` finds.

    Attributes:
        images: every recorded one, oldest first.
        locks: whether the newest set was built from the lock files of the project; None when no
            project is here.
        ok: nothing is wrong.
        mend: what to do about the lock files or an empty record.
    """

    images: tuple[Checked, ...]
    locks: bool | None
    ok: bool
    mend: str = ""


def verify_images(settings: Settings) -> Verified:
    """Compare the record with the engine and with the lock files of the project.

    Raises:
        IntegrityError: the record cannot be read.
        UnavailableError: no engine answers.
    """
    lock = read_lock(settings.images_lock)
    newest = {image.id for image in lock.sets[-1].images.values()} if lock.sets else set()
    with closing(connect(settings)) as client, translated(settings):
        checked = tuple(
            _check(client, image, newest=image.id in newest)
            for image in {image.id: image for image in lock.every()}.values()
        )
    locks = _locks(settings, lock)
    mend = ""
    if not lock.sets:
        mend = "No image is recorded: build them by `tiltyard images build`."
    elif locks is False:
        mend = "The lock files have changed since: build anew by `tiltyard images build`."
    ok = bool(lock.sets) and locks is not False and all(not one.mend for one in checked)
    return Verified(images=checked, locks=locks, ok=ok, mend=mend)


def _check(client: "DockerClient", image: RecordedImage, *, newest: bool) -> Checked:
    state = _state(client, image)
    return Checked(image=image, state=state, newest=newest, mend=_mend(image, state))


def _state(client: "DockerClient", image: RecordedImage) -> State:
    from docker.errors import ImageNotFound  # noqa: PLC0415  an extra

    try:
        tagged = client.images.get(image.tag).id
    except ImageNotFound:
        tagged = None
    if tagged is not None and tagged != image.id:
        return State.MOVED
    try:
        client.images.get(image.id)
    except ImageNotFound:
        return State.MISSING
    try:
        same = packages_digest(client, image.id) == image.packages
    except IntegrityError:
        same = False
    if not same:
        return State.PACKAGES
    return State.PRESENT if tagged or image.digest else State.UNTAGGED


def _mend(image: RecordedImage, state: State) -> str:
    pull = f"`docker pull {image.digest}`" if image.digest else "`docker load` of a copy"
    tag = f"`docker tag {image.id} {image.tag}`"
    return {
        State.PRESENT: "",
        State.MISSING: f"get it by {pull}, or build anew by `tiltyard images build`",
        State.MOVED: f"another image has this name now: if {image.id[:19]} is still here, {tag}; "
        f"else get it by {pull}, or build anew by `tiltyard images build`",
        State.UNTAGGED: f"{tag}, else the engine's clean-ups remove it",
        State.PACKAGES: "the record or the image was changed by hand: build anew by `tiltyard "
        "images build`",
    }[state]


def _locks(settings: Settings, lock: ImagesLock) -> bool | None:
    if not lock.sets:
        return None
    try:
        return Recipes(settings.images.path).resolution() == lock.sets[-1].resolution
    except (InvalidInputError, NotFoundError):
        return None
