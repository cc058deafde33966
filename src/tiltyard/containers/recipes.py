"""What images are built from: the folder of Dockerfiles, its lock files, the source's revision."""

import hashlib
import subprocess
from pathlib import Path

from tiltyard import __version__
from tiltyard.containers.images import LAB, SCORER
from tiltyard.errors import InvalidInputError, NotFoundError
from tiltyard.types.base import digest

BASE = "base"
APART = ("platform",)
"""Images that are built only when they are named, and load nothing that another one has made."""
SOURCES = ("src", "pyproject.toml", "README.md")
"""What of the project goes into images, beside the folder of Dockerfiles."""

_GIT_S = 20.0


class Recipes:
    """The folder with one folder an image, and the project around it.

    Raises:
        InvalidInputError: there is no Dockerfile of a base image in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.project = self.folder.parent
        if not self.dockerfile(BASE).exists():
            raise InvalidInputError(
                f"{self.folder} holds no images' Dockerfiles: work in the folder of Tiltyard's "
                "source, or set images.path to its `spawner_images`."
            )

    def dockerfile(self, name: str) -> Path:
        """Return the Dockerfile of an image."""
        return self.folder / name / "Dockerfile"

    def names(self) -> tuple[str, ...]:
        """Return all names in the order in which they are built."""
        found = {path.parent.name for path in self.folder.glob("*/Dockerfile")}
        return BASE, *sorted(found - {BASE}, key=_scorers_first)

    def ordered(self, wanted: list[str]) -> tuple[str, ...]:
        """Return the wanted names in the order in which they are built.

        None wanted means all but those that are built only when they are named.

        Raises:
            NotFoundError: there is no such image.
        """
        names = self.names()
        for name in wanted:
            if name not in names:
                raise NotFoundError("image", name, names)
        chosen = wanted or set(names) - set(APART)
        return tuple(name for name in names if name in chosen)

    def resolution(self) -> str:
        """Return SHA-256 over the lock files of what has to fit together."""
        return digest(
            {
                str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in self.folder.glob("*/*.lock")
                if path.parent.name not in APART
            }
        )

    def revision(self) -> str:
        """Return the last commit of what goes into images; else the version of Tiltyard.

        ``+changes`` follows a commit when the files differ from it.
        """
        paths = (self.folder.name, *SOURCES)
        commit = self._git("log", "-1", "--format=%H", "--", *paths)
        if not commit:
            return __version__
        changed = self._git("status", "--porcelain", "--", *paths)
        return f"{commit}+changes" if changed else commit

    def _git(self, *words: str) -> str:
        try:
            said = subprocess.run(  # noqa: S603  no shell
                ["git", "-C", str(self.project), *words],  # noqa: S607  the user's own
                capture_output=True,
                text=True,
                timeout=_GIT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return said.stdout.strip() if said.returncode == 0 else ""


def partner(name: str) -> str | None:
    """Return the image that loads what is pickled in this one, or the other way round."""
    for one, other in ((LAB, SCORER), (SCORER, LAB)):
        if name.startswith(one):
            return other + name.removeprefix(one)
    return None


def _scorers_first(name: str) -> tuple[bool, str]:
    return not name.startswith(SCORER), name
