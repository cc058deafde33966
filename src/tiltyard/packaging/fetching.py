"""A registered version with all that serves it, fetched from control."""

from pathlib import Path
from typing import NamedTuple

from tiltyard.artifacts import folder_digest, unpack
from tiltyard.client.control import ControlClient
from tiltyard.errors import IntegrityError
from tiltyard.types.registry import Version
from tiltyard.types.routes import ModelRoute, VersionRoute

DEPLOYMENT = "exported"


class Fetched(NamedTuple):
    """A version's folder, whose digest is right, and the route of its model with it alone."""

    version: Version
    folder: Path
    route: ModelRoute


def fetch_version(client: ControlClient, model: str, version: int, into: Path) -> Fetched:
    """Fetch a version's folder into a folder that is empty.

    Raises:
        NotFoundError: there is no such version.
        IntegrityError: what arrived is not what was registered.
        UnavailableError: the disk is full.
    """
    known, found = client.model(model), client.version(model, version)
    tar, folder = into / "folder.tar", into / "version"
    client.download_version(model, version, tar)
    with tar.open("rb") as file:
        unpack(file, folder, tar.stat().st_size)
    tar.unlink()
    if folder_digest(folder) != found.digest:
        raise IntegrityError(
            f"What control sent of {model} version {version} is not what was registered: look at "
            "its artifacts by `tiltyard doctor`."
        )
    champion = VersionRoute(
        version=version,
        deployment=DEPLOYMENT,
        signature=found.manifest.signature,
        endpoints=(),
    )
    route = ModelRoute(
        name=model,
        number=known.number,
        task=known.task,
        call_schema=known.call_schema,
        champion=champion,
    )
    return Fetched(found, folder, route)
