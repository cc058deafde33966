"""Builds the images in their order and records what came out."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tiltyard.containers.buildkit import Builder, build, find_builder
from tiltyard.containers.debian import debian_image
from tiltyard.containers.engine import connect, translated
from tiltyard.containers.images import ImagesLock, RecordedImage, read_lock
from tiltyard.containers.inputs import Inputs
from tiltyard.containers.packages import packages_digest
from tiltyard.containers.recipes import BASE, Recipes
from tiltyard.containers.recording import check_pairs, update, with_built
from tiltyard.errors import NotFoundError, TiltyardError, UnavailableError
from tiltyard.settings import Settings

if TYPE_CHECKING:
    from docker import DockerClient

TIMEOUT_S = 600.0


@dataclass(frozen=True)
class Origin:
    """What the base image is built on.

    Attributes:
        reference: a name that Docker has or pulls; None is the setting ``images.base``.
        debian: make it by debootstrap instead.
        fresh: take nothing from earlier builds, so that Debian's updates come in.
    """

    reference: str | None = None
    debian: bool = False
    fresh: bool = False


def build_images(
    settings: Settings,
    names: list[str],
    *,
    origin: Origin,
    inputs: Inputs,
    tell: Callable[[str], None],
) -> ImagesLock:
    """Build images, record them as one set and return the record.

    Args:
        settings: of the engine, the images and the home, which keeps the logs.
        names: of images; none means all.
        origin: what the base image is built on.
        inputs: mirrors, CA and proxy.
        tell: is called with a line for each step.

    Raises:
        InvalidInputError: no folder of Dockerfiles, or half of a pair is to be built from other
            lock files than the other half.
        NotFoundError: an image that is named has no Dockerfile.
        UnavailableError: no engine, no BuildKit, no base image, or the disk is full.
        TiltyardError: a step failed; nothing is recorded.
    """
    recipes = Recipes(settings.images.path)
    resolution, revision = recipes.resolution(), recipes.revision()
    lock = read_lock(settings.images_lock)
    ordered = recipes.ordered(names)
    check_pairs(lock, resolution, ordered)
    with closing(connect(settings, TIMEOUT_S)) as client:
        asked = BASE in ordered or origin != Origin()
        base = None if asked else _recorded_base(client, settings, lock)
        if base is None:
            ordered = tuple(dict.fromkeys((BASE, *ordered)))
        work = _Work(settings, recipes, client, find_builder(settings), inputs, tell)
        labels = {
            "org.opencontainers.image.revision": revision,
            "tiltyard.image.resolution": resolution,
        }
        built: dict[str, RecordedImage] = {}
        for name in ordered:
            under = _origin(work, origin) if name == BASE else base
            built[name] = work.build(name, under or "", labels, fresh=origin.fresh)
            if name == BASE:
                base = built[name].tag
    return update(
        settings.images_lock,
        lambda lock: with_built(
            lock, built, resolution=resolution, revision=revision, built_at=datetime.now(UTC)
        ),
    )


@dataclass(frozen=True)
class _Work:
    settings: Settings
    recipes: Recipes
    client: "DockerClient"
    builder: Builder
    inputs: Inputs
    tell: Callable[[str], None]

    def log(self, name: str) -> Path:
        return self.settings.path("logs", f"images-{name}.log")

    def build(self, name: str, base: str, labels: dict[str, str], *, fresh: bool) -> RecordedImage:
        with self.inputs.secrets() as secrets:
            made = build(
                self.builder,
                [
                    *(f"--file={self.recipes.dockerfile(name)}", f"--build-arg=BASE={base}"),
                    *(f"--label={key}={value}" for key, value in labels.items()),
                    f"--label=org.opencontainers.image.title={self.settings.images.name}/{name}",
                    *(f"--secret=id={key},src={path}" for key, path in secrets.items()),
                    *(f"--build-arg={variable}" for variable in self.inputs.proxies),
                    *([f"--network={self.inputs.network}"] if self.inputs.network else []),
                    *(["--no-cache"] if fresh else []),
                    str(self.recipes.project),
                ],
                name=name,
                environ=self.inputs.proxies,
                log=self.log(name),
                tell=self.tell,
            )
        with translated(self.settings):
            image = self.client.images.get(made)
            repository, tag = f"{self.settings.images.name}/{name}", image.id[7:19]
            image.tag(repository, tag)
            return RecordedImage(
                name=name,
                id=image.id,
                tag=f"{repository}:{tag}",
                size_bytes=image.attrs["Size"],
                packages=packages_digest(self.client, image.id),
            )


def _recorded_base(client: "DockerClient", settings: Settings, lock: ImagesLock) -> str | None:
    """Return the name of the recorded base image, if it is here."""
    try:
        recorded = lock.current(BASE)
        with translated(settings):
            return recorded.tag if client.images.get(recorded.tag).id == recorded.id else None
    except NotFoundError:
        return None


def _origin(work: _Work, origin: Origin) -> str:
    """Return the name of what the base is built on, brought here when it is not."""
    if origin.debian:
        return debian_image(
            work.client,
            work.settings,
            work.inputs,
            log=work.log("debian"),
            fresh=origin.fresh,
            tell=work.tell,
        )
    reference = origin.reference or work.settings.images.base
    if not origin.fresh and _is_here(work, reference):
        return reference
    work.tell(f"base: pull {reference}")
    try:
        with translated(work.settings):
            work.client.images.pull(reference)
    except TiltyardError as error:
        if _is_here(work, reference):
            work.tell(f"base: it cannot be pulled, so the {reference} that is here is taken")
            return reference
        raise UnavailableError(
            f"{reference}, on which the base image is built, is not here and cannot be pulled "
            f"({error.message.rstrip('.')}): name an image of Debian 13 that you have by --base or "
            "images.base, or build it by --from-debian."
        ) from error
    return reference


def _is_here(work: _Work, reference: str) -> bool:
    try:
        with translated(work.settings):
            work.client.images.get(reference)
    except NotFoundError:
        return False
    return True
