"""A version as one container image that answers HTTP without Tiltyard."""

import io
import json
import tarfile
import tempfile
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from tiltyard.containers.engine import translated
from tiltyard.containers.hardening import hardened
from tiltyard.containers.images import RecordedImage, check_present
from tiltyard.containers.labels import Role, labels, named
from tiltyard.errors import (
    ConflictError,
    IntegrityError,
    InvalidInputError,
    UnavailableError,
)
from tiltyard.settings import Limits, Settings
from tiltyard.types.routes import ModelRoute

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.images import Image

PORT = 8080
ENTRYPOINT = ("python", "-m", "tiltyard.gateway.exported")
BUILD_S = 1800.0
"""How long the engine may take for a step: it packs gigabytes."""
CHECK_S = 300
FOLDER_MODE, FILE_MODE = 0o755, 0o644


class PackageError(IntegrityError):
    """The image that was made does not repeat the version's golden rows."""


class Packager:
    """Makes images of versions with one Docker Engine.

    Args:
        settings: name the engine in errors.
        client: of the engine.
    """

    def __init__(self, settings: Settings, client: "DockerClient") -> None:
        self._settings = settings
        self._client = client

    def package(
        self,
        base: RecordedImage,
        folder: Path,
        route: ModelRoute,
        marks: Mapping[str, str],
        tag: str,
        limits: Limits,
    ) -> str:
        """Make the image and tag it once it repeats the golden rows; return its id.

        Args:
            base: the scorer's image.
            folder: the version's, whose digests were verified.
            route: of the model, with the version as its champion.
            marks: labels of the image.
            tag: its name; what had it before loses it.
            limits: of the container that repeats the golden rows.

        Raises:
            NotFoundError: the scorer's image is not at the engine.
            PackageError: the golden rows differ in it.
            UnavailableError: the engine cannot build it, its disk is full, or it is away.
        """
        from docker.utils import parse_repository_tag  # noqa: PLC0415  an extra

        with translated(self._settings):
            check_present(self._client, base)
            image = self._build(base, folder, route, marks)
            try:
                self._check(image, limits)
            except BaseException:
                if not image.tags:
                    self._client.images.remove(image.id)
                raise
            image.tag(*parse_repository_tag(tag))
            return str(image.id)

    def has(self, tag: str) -> bool:
        """Return whether an image has this name already.

        Raises:
            InvalidInputError: no image can have it.
        """
        from docker.errors import APIError, ImageNotFound, NullResource  # noqa: PLC0415  an extra

        with translated(self._settings):
            try:
                self._client.images.get(tag)
            except ImageNotFound:
                return False
            except (NullResource, APIError) as error:
                if getattr(error, "status_code", HTTPStatus.BAD_REQUEST) != HTTPStatus.BAD_REQUEST:
                    raise
                raise InvalidInputError(
                    f"{tag!r} cannot name an image: give a --tag such as "
                    "registry.example.com/bikeshare:3."
                ) from None
            return True

    def save(self, tag: str, target: Path) -> None:
        """Write an image as a tar that ``docker load`` reads.

        Raises:
            ConflictError: the file is there already.
            UnavailableError: the disk is full or the file cannot be written.
        """
        try:
            with target.open("xb") as file, translated(self._settings):
                for piece in self._client.api.get_image(tag):
                    file.write(piece)
        except FileExistsError:
            raise ConflictError(f"{target} exists already: name another file.") from None
        except OSError as error:
            target.unlink(missing_ok=True)
            raise UnavailableError(
                f"{target} cannot be written ({error.strerror}). The image itself is at the engine "
                f"as {tag}: write it elsewhere by `docker save`."
            ) from error
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    def _build(
        self, base: RecordedImage, folder: Path, route: ModelRoute, marks: Mapping[str, str]
    ) -> "Image":
        from docker.errors import BuildError  # noqa: PLC0415  an extra

        with tempfile.TemporaryFile() as context:
            write_context(context, base.id, folder, route)
            context.seek(0)
            try:
                image, _ = self._client.images.build(
                    fileobj=context,
                    custom_context=True,
                    labels=dict(marks),
                    network_mode="none",
                    pull=False,
                    rm=True,
                    forcerm=True,
                )
            except BuildError as error:
                raise UnavailableError(
                    f"The Docker Engine cannot build the image: {error.msg}"
                ) from error
        return image

    def _check(self, image: "Image", limits: Limits) -> None:
        """Let the image repeat the golden rows, in a container that may do little."""
        container = self._client.containers.create(
            image.id,
            ["--check"],
            name=named(self._settings, "package", image.id.partition(":")[2][:12]),
            labels=labels(self._settings, Role.EXEC),
            network_mode="none",
            **hardened(limits),
        )
        try:
            container.start()
            code = container.wait(timeout=CHECK_S)["StatusCode"]
            said = container.logs(tail=1).decode(errors="replace").strip()
        finally:
            container.remove(force=True)
        if code:
            raise PackageError(
                f"The image does not serve this version (exit code {code}): "
                f"{said or 'it said nothing; it may lack memory'}"
            )


def write_context(target: BinaryIO, base: str, folder: Path, route: ModelRoute) -> None:
    """Write what the engine builds from, as a tar: the same version gives the same bytes.

    Args:
        target: a file open for writing.
        base: id of the scorer's image.
        folder: the version's.
        route: of the model.
    """
    with tarfile.open(fileobj=target, mode="w") as tar:
        _add(tar, "Dockerfile", dockerfile(base).encode())
        _add(tar, "route.json", route.model_dump_json().encode())
        tar.add(folder, "version", filter=_plain)


def dockerfile(base: str) -> str:
    """Return the recipe of an exported image; it runs nothing, so it needs no network."""
    return f"""\
FROM {base}
COPY version /version
COPY route.json /route.json
EXPOSE {PORT}
ENTRYPOINT {json.dumps(ENTRYPOINT)}
CMD []
"""


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = _plain(tarfile.TarInfo(name))
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Belong to root, readable by all, of no time."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    member.mode = FOLDER_MODE if member.isdir() else FILE_MODE
    return member
