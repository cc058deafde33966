"""How a build and a push change the record of images."""

import fcntl
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from pathlib import Path

from tiltyard.containers.images import (
    ImageSet,
    ImagesLock,
    RecordedImage,
    read_lock,
    write_lock,
)
from tiltyard.containers.recipes import partner
from tiltyard.errors import InvalidInputError


def check_pairs(lock: ImagesLock, resolution: str, names: Collection[str]) -> None:
    """See that building these names leaves no lab image beside a scorer image of other packages.

    Raises:
        InvalidInputError: the other one of a pair was built from other lock files.
    """
    for name in names:
        other = partner(name)
        if other is None or other in names:
            continue
        last = next((one for one in reversed(lock.sets) if other in one.images), None)
        if last is not None and last.resolution != resolution:
            raise InvalidInputError(
                f"The lock files have changed since {other} was built, and a model pickled in one "
                f"has to load in the other: run `tiltyard images build {other} {name}`."
            )


def with_built(
    lock: ImagesLock,
    built: Mapping[str, RecordedImage],
    *,
    resolution: str,
    revision: str,
    built_at: datetime,
) -> ImagesLock:
    """Return the record after a build.

    The same images again change nothing. Images of the newest set that were not built go on
    in the new one if they are of the same resolution.
    """
    newest = lock.sets[-1] if lock.sets else None
    if newest is None or newest.resolution != resolution:
        newest, carried = None, {}
    else:
        carried = newest.images
    if newest is not None and all(_same(carried.get(name), image) for name, image in built.items()):
        return lock
    known = {image.id: image.digest for image in lock.every() if image.digest}
    fresh = {n: i.model_copy(update={"digest": known.get(i.id)}) for n, i in built.items()}
    made = ImageSet(
        resolution=resolution, revision=revision, built_at=built_at, images={**carried, **fresh}
    )
    extends = newest is not None and newest.revision == revision and not carried.keys() & fresh
    kept = lock.sets[:-1] if extends else lock.sets
    return lock.model_copy(update={"sets": (*kept, made)})


def with_digest(lock: ImagesLock, image_id: str, digest: str) -> ImagesLock:
    """Return the record after an image was pushed: in every set that holds it."""
    sets = tuple(
        one.model_copy(
            update={
                "images": {
                    name: image.model_copy(update={"digest": digest})
                    if image.id == image_id
                    else image
                    for name, image in one.images.items()
                }
            }
        )
        for one in lock.sets
    )
    return lock.model_copy(update={"sets": sets})


def update(path: Path, change: Callable[[ImagesLock], ImagesLock]) -> ImagesLock:
    """Read, change and replace the record, one process at a time; return what is recorded now."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.guard").open("a") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        before = read_lock(path)
        after = change(before)
        if after != before:
            write_lock(path, after)
        return after


def _same(recorded: RecordedImage | None, built: RecordedImage) -> bool:
    return recorded is not None and recorded.id == built.id
