"""What the store does to the disk: copies that last, locks, removals."""

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tiltyard.errors import UnavailableError

READ_ONLY = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH
READ_ONLY_FOLDER = READ_ONLY | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH


def copy_files(files: Mapping[str, Path], target: Path) -> None:
    """Copy files to a new folder; all lasts, and all but the folder itself is read-only."""
    target.mkdir()
    for name, path in files.items():
        copied = target / name
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copied)
        close_file(copied)
    for folder in [path for path in target.rglob("*") if path.is_dir()]:
        folder.chmod(READ_ONLY_FOLDER)
        sync(folder)
    sync(target)


def close_file(path: Path) -> None:
    """Make a file read-only and have the disk keep it."""
    path.chmod(READ_ONLY)
    sync(path)


def remove_tree(folder: Path) -> None:
    """Remove a folder, read-only or not."""
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(stat.S_IRWXU)
    shutil.rmtree(folder)


@contextmanager
def locked(folder: Path, how: int) -> Iterator[None]:
    """Hold a ``flock`` of a folder; it ends with the process at the latest.

    Raises:
        BlockingIOError: it is held elsewhere, and ``how`` says not to wait.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, how)
        yield
    finally:
        os.close(handle)


def sync(path: Path) -> None:
    """Have the disk keep a file or a folder's entries."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def room_on(folder: Path) -> Iterator[None]:
    """Turn a full disk into a sentence.

    Raises:
        UnavailableError: the disk or a quota is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise UnavailableError(f"The disk of {folder} is full: free some space.") from error
