"""The few calls by which the writer touches the disk, in one replaceable place.

A test puts a disk here that records the order of calls or loses what was not synced.
"""

import errno
import os
from pathlib import Path

FULL = {errno.ENOSPC, errno.EDQUOT}
"""What the operating system answers when there is no space."""

_NOT_TO_BE_HAD = {*FULL, errno.EBADF, errno.EINVAL, errno.EOPNOTSUPP}


class Disk:
    """The operating system's files."""

    def create(self, path: Path) -> int:
        """Make a new file and return its descriptor."""
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        return os.open(path, flags, 0o640)

    def reserve(self, fd: int, offset: int, length: int) -> bool:
        """Lengthen the file by zeros, so that a later sync need not write its length.

        Returns:
            Whether that came out; if not, a write will tell why.
        """
        try:
            os.posix_fallocate(fd, offset, length)
        except OSError as error:
            if error.errno not in _NOT_TO_BE_HAD:
                raise
            return False
        return True

    def write(self, fd: int, data: memoryview, offset: int) -> int:
        """Write at an offset, and return how many bytes were taken."""
        return os.pwrite(fd, data, offset)

    def sync(self, fd: int) -> None:
        """Return when the file's data and length are on the medium."""
        os.fdatasync(fd)

    def truncate(self, fd: int, length: int) -> None:
        """Cut the file."""
        os.ftruncate(fd, length)

    def free(self, folder: Path) -> int:
        """Return how many bytes can still be written."""
        found = os.statvfs(folder)
        return found.f_bavail * found.f_frsize

    def close(self, fd: int) -> None:
        """Close the descriptor."""
        os.close(fd)

    def sync_folder(self, folder: Path) -> None:
        """Return when the folder's entries are on the medium."""
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def replace(self, path: Path, data: bytes) -> None:
        """Put a whole small file in place, durably: all of the old one or all of the new."""
        new = path.with_name(f".{path.name}.new")
        with new.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        self.sync_folder(path.parent)
