"""The data lake as a run's container finds it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiltyard.settings import Settings

INSIDE = "/lake/lake.db"


@dataclass(frozen=True)
class LakeInContainer:
    """Where the lake is inside.

    Attributes:
        url: SQLAlchemy's.
        mounts: of the Docker SDK.
    """

    url: str
    mounts: tuple[Any, ...]


def lake_in_container(settings: Settings) -> LakeInContainer:
    """Return a SQLite lake as a file that can only be read; any other by its own URL.

    Before there is a lake, nothing is mounted: reading it says what to do.
    """
    from docker.types import Mount  # noqa: PLC0415  an extra

    scheme, _, rest = settings.lake_url.partition("://")
    if not scheme.startswith("sqlite"):
        return LakeInContainer(settings.lake_url, ())
    file = Path(rest.removeprefix("/").partition("?")[0]).absolute()
    mounts = (Mount(INSIDE, str(file), type="bind", read_only=True),) if file.is_file() else ()
    return LakeInContainer(f"sqlite:///{INSIDE}", mounts)
