"""The store of versions' folders: each at ``<root>/<2 hex>/<digest>/``, read-only.

Beside a folder, ``<digest>.json`` is its listing: the canonical bytes of {posix path: SHA-256}
whose SHA-256 is the digest. So a look tells which file is not as it was.
"""

import fcntl
import json
import re
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tiltyard.artifacts import tars
from tiltyard.artifacts.disk import (
    READ_ONLY_FOLDER,
    close_file,
    copy_files,
    locked,
    remove_tree,
    room_on,
    sync,
)
from tiltyard.artifacts.folders import file_digest, files, listing
from tiltyard.errors import IntegrityError, InvalidInputError, NotFoundError
from tiltyard.types.base import canonical_json, digest

DIGEST = re.compile("[0-9a-f]{64}")


class ArtifactStore:
    """Folders named by their content. Safe for threads, and for several processes.

    Folders are made in ``<root>/incoming`` under a shared lock of it. Whoever opens the store
    and gets that lock for itself removes what a crash left there.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._incoming = self._root / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)
        self._clean()

    def add(self, folder: Path) -> str:
        """Keep a copy of a folder; return its digest.

        What is there already stays, unless it was damaged: then the copy replaces it.

        Raises:
            InvalidInputError: the folder holds no files, links, special files, or names that
                are not UTF-8.
            UnavailableError: the disk is full.
        """
        with room_on(self._root), self._workplace() as work:
            copy = work / "folder"
            copy_files(files(folder), copy)
            found = listing(copy)
            name = digest(found)
            with locked(self._root, fcntl.LOCK_EX):
                if not self._is_whole(name):
                    self._discard(name, work)
                    self._keep(name, copy, found, work)
        return name

    def path(self, digest: str) -> Path:
        """Return a folder; nobody may write there.

        Raises:
            InvalidInputError: that is no digest.
            NotFoundError: there is no such folder.
        """
        path = self._place(digest)
        if not path.is_dir():
            raise NotFoundError("artifact", digest)
        return path

    def verify(self, digest: str) -> None:
        """Read a folder wholly.

        Raises:
            NotFoundError: there is no such folder.
            IntegrityError: naming the first file that differs, is missing or is too much.
        """
        path = self.path(digest)
        wanted = self._listing(digest)
        try:
            present = files(path)
        except InvalidInputError as error:
            raise IntegrityError(f"Artifact {digest} was changed: {error}") from None
        for name in sorted(wanted.keys() | present.keys()):
            fault = _fault(name, wanted.get(name), present.get(name))
            if fault:
                raise IntegrityError(f"Artifact {digest} was changed: {fault}.", file=name)

    def pack(self, digest: str) -> Iterator[bytes]:
        """Return a folder as the pieces of a tar.

        Raises:
            NotFoundError: there is no such folder.
        """
        return tars.pack(self.path(digest))

    def remove(self, digest: str) -> None:
        """Remove a folder.

        Raises:
            NotFoundError: there is no such folder.
        """
        self.path(digest)
        with self._workplace() as work, locked(self._root, fcntl.LOCK_EX):
            self._discard(digest, work)

    def _place(self, digest: str) -> Path:
        if not DIGEST.fullmatch(digest):
            raise InvalidInputError(f"{digest!r} is no SHA-256 in lowercase hex.")
        return self._root / digest[:2] / digest

    def _listing_place(self, digest: str) -> Path:
        return self._place(digest).with_suffix(".json")

    def _listing(self, name: str) -> dict[str, str]:
        path = self._listing_place(name)
        if not path.is_file() or file_digest(path) != name:
            raise IntegrityError(f"Artifact {name} was changed: its listing {path.name} differs.")
        found: dict[str, str] = json.loads(path.read_bytes())
        return found

    def _is_whole(self, name: str) -> bool:
        try:
            self.verify(name)
        except (NotFoundError, IntegrityError):
            return False
        return True

    def _keep(self, name: str, copy: Path, found: dict[str, str], work: Path) -> None:
        place = self._place(name)
        place.parent.mkdir(exist_ok=True)
        written = work / "listing"
        written.write_bytes(canonical_json(found))
        close_file(written)
        written.replace(self._listing_place(name))
        copy.rename(place)
        # Not before: a read-only folder cannot be moved.
        place.chmod(READ_ONLY_FOLDER)
        for folder in (place, place.parent, self._root):
            sync(folder)

    def _discard(self, name: str, work: Path) -> None:
        with suppress(FileNotFoundError):
            self._place(name).chmod(stat.S_IRWXU)
            self._place(name).rename(work / "discarded")
        self._listing_place(name).unlink(missing_ok=True)

    @contextmanager
    def _workplace(self) -> Iterator[Path]:
        work = self._incoming / uuid.uuid4().hex
        with locked(self._incoming, fcntl.LOCK_SH):
            work.mkdir()
            try:
                yield work
            finally:
                remove_tree(work)

    def _clean(self) -> None:
        with suppress(BlockingIOError), locked(self._incoming, fcntl.LOCK_EX | fcntl.LOCK_NB):
            for leftover in self._incoming.iterdir():
                remove_tree(leftover)


def _fault(name: str, wanted: str | None, present: Path | None) -> str | None:
    if present is None:
        return f"{name} is missing"
    if wanted is None:
        return f"{name} does not belong there"
    return None if file_digest(present) == wanted else f"{name} differs"
