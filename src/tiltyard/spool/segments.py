"""Segment files of a spool folder: their names, the tail's recovery, the removal of old ones."""

import logging
import os
import time
from pathlib import Path

from tiltyard.spool.disk import Disk
from tiltyard.spool.frames import is_blank, read_segment

logger = logging.getLogger(__name__)


def segment_path(folder: Path, first_seq: int) -> Path:
    """Return the path of the segment that begins with this seq."""
    return folder / f"{first_seq:016x}.log"


def segments(folder: Path) -> list[tuple[int, Path]]:
    """Return (first seq, path) of all segments, in order."""
    return sorted((int(path.stem, 16), path) for path in folder.glob("*.log"))


def recover(folder: Path, disk: Disk) -> int | None:
    """Drop the last segment's torn tail, sync what stays, and return the last seq.

    Only the last segment can be torn: an older one was durable before the next was made.
    """
    last: int | None = None
    for _, path in reversed(segments(folder)):
        last = _recover_segment(path, disk)
        if last is not None:
            break
        path.unlink()
    disk.sync_folder(folder)
    return last


def _recover_segment(path: Path, disk: Disk) -> int | None:
    good, last = 0, None
    for offset, record in read_segment(path):
        good, last = offset, record.seq
    with path.open("rb") as file:
        torn = not is_blank(file, good)
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        if (tail := os.fstat(fd).st_size - good) > 0:
            if torn:
                logger.warning("dropping a torn tail of %d bytes from %s", tail, path)
            disk.truncate(fd, good)
        disk.sync(fd)
    finally:
        disk.close(fd)
    return last


class Cleaner:
    """Removes segments some time after all of them was confirmed."""

    def __init__(self, folder: Path, keep_s: float) -> None:
        self._folder = folder
        self._keep_s = keep_s
        self._confirmed_at: dict[Path, float] = {}

    def clean(self, confirmed: int, last_seq: int | None, current: Path | None) -> None:
        """Remove what was confirmed long enough ago; never the segment being written.

        Args:
            confirmed: the seq up to which the store has everything.
            last_seq: the last seq of the spool.
            current: the segment being written.
        """
        now = time.monotonic()
        for path in self._wholly_confirmed(confirmed, last_seq):
            since = self._confirmed_at.setdefault(path, now)
            if path != current and now - since >= self._keep_s:
                path.unlink()
                del self._confirmed_at[path]

    def _wholly_confirmed(self, confirmed: int, last_seq: int | None) -> list[Path]:
        found = segments(self._folder)
        if not found:
            return []
        bounds = [first - 1 for first, _ in found[1:]] + [last_seq or 0]
        return [
            path
            for (first, path), bound in zip(found, bounds, strict=True)
            if first <= confirmed and bound <= confirmed
        ]
