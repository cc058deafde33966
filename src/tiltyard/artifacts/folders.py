"""What a folder holds: plain files by their posix paths, and their digests."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from tiltyard.errors import InvalidInputError
from tiltyard.types.base import digest

CHUNK = 1 << 20
"""Bytes that are read at once."""


def files(folder: Path) -> dict[str, Path]:
    """Return the files below a folder: posix path → path, in the order of the posix paths.

    Raises:
        InvalidInputError: something is no plain file or folder, a name is not UTF-8, or there
            is no file at all.
    """
    found: dict[str, Path] = {}
    for path in _walk(folder):
        name = path.relative_to(folder).as_posix()
        check_name(name)
        found[name] = path
    if not found:
        raise InvalidInputError(f"{folder} holds no files.")
    return dict(sorted(found.items()))


def listing(folder: Path) -> dict[str, str]:
    """Return posix path → SHA-256 (hex) of all files below a folder.

    Raises:
        InvalidInputError: as in ``files``.
    """
    return {name: file_digest(path) for name, path in files(folder).items()}


def folder_digest(folder: Path) -> str:
    """Return SHA-256 (hex) over the canonical JSON of a folder's listing."""
    return digest(listing(folder))


def file_digest(path: Path) -> str:
    """Return SHA-256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_name(name: str) -> None:
    """Check that a posix path stays below its folder and can be written down.

    Raises:
        InvalidInputError: it is absolute, climbs, is empty or is not UTF-8.
    """
    parts = name.split("/")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InvalidInputError(f"The file name {name!r} is not UTF-8: rename it.") from None
    if "\0" in name or any(part in {"", ".", ".."} for part in parts):
        raise InvalidInputError(f"The path {name!r} does not stay in its folder.")


def _walk(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                yield Path(entry.path)
            else:
                raise InvalidInputError(
                    f"{entry.path!r} is a link or a special file: a version holds plain files."
                )
