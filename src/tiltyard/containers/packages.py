"""The list of packages inside an image."""

import hashlib
import io
import tarfile
from typing import TYPE_CHECKING

from tiltyard.errors import IntegrityError

if TYPE_CHECKING:
    from docker import DockerClient

PATH = "/usr/share/tiltyard/packages.json"
"""CycloneDX, in every image."""


def package_list(client: "DockerClient", image_id: str) -> bytes:
    """Return the list of packages of an image, by a container that is never started.

    Raises:
        IntegrityError: the image has none.
    """
    from docker.errors import NotFound  # noqa: PLC0415  an extra

    container = client.api.create_container(image_id, command=["true"])
    try:
        chunks, _ = client.api.get_archive(container["Id"], PATH)
        archive = io.BytesIO(b"".join(chunks))
    except NotFound:
        raise IntegrityError(
            f"Image {image_id[:19]} has no list of packages ({PATH}): build it by `tiltyard images "
            "build`."
        ) from None
    finally:
        client.api.remove_container(container["Id"], force=True)
    with tarfile.open(fileobj=archive) as tar:
        file = tar.extractfile(tar.getmembers()[0])
        return file.read() if file is not None else b""


def packages_digest(client: "DockerClient", image_id: str) -> str:
    """Return SHA-256 of the list of packages of an image.

    Raises:
        IntegrityError: the image has none.
    """
    return hashlib.sha256(package_list(client, image_id)).hexdigest()
