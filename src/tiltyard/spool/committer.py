"""What the writer thread does with a drained queue: write, sync, publish; roll and clean."""

import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from tiltyard.errors import TiltyardError, UnavailableError
from tiltyard.spool.disk import FULL, Disk
from tiltyard.spool.marks import DurableMark, read_confirmed
from tiltyard.spool.segments import Cleaner, segment_path

logger = logging.getLogger(__name__)


RESERVE_BYTES = 1 << 20


class Group(msgspec.Struct, frozen=True):
    """Frames that are kept together, and whom to tell."""

    frames: bytes
    first_seq: int
    last_seq: int
    done: Callable[[TiltyardError | None], None]


def die(error: Exception) -> None:
    """End the process at once: after a failed sync nobody knows what the medium holds.

    A second fdatasync may succeed although the pages were dropped, so it is never tried.
    """
    logger.critical("the spool's disk failed (%s): ending at once, nothing is answered", error)
    logging.shutdown()
    os._exit(os.EX_IOERR)


class Committer:
    """Owns the segment being written. Any OSError but a full disk is the caller's end.

    Args:
        folder: the spool's folder.
        segment_bytes: size at which a new segment begins.
        keep_confirmed_s: how long a wholly confirmed segment stays.
        disk: the calls to the operating system.
        mark: where the durable seq is published.
        last_seq: the last seq found at the start.
    """

    def __init__(
        self,
        folder: Path,
        segment_bytes: int,
        keep_confirmed_s: float,
        disk: Disk,
        mark: DurableMark,
        last_seq: int | None,
    ) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._disk = disk
        self._mark = mark
        self._cleaner = Cleaner(folder, keep_confirmed_s)
        self._cleaned_at = 0.0
        self._fd: int | None = None
        self._path: Path | None = None
        self._length = self._pending = self._reserved = 0
        self.durable_seq = last_seq
        self.disk_full = False

    def commit(self, groups: Sequence[Group]) -> TiltyardError | None:
        """Make all groups durable, or none: then return why."""
        try:
            self._write(groups)
        except OSError as error:
            if error.errno not in FULL:
                raise
            return self._refuse(error)
        self._disk.sync(self._open())
        self._succeeded(groups[-1].last_seq)
        return None

    def _write(self, groups: Sequence[Group]) -> None:
        if self._fd is not None and self._length >= self._segment_bytes:
            self._close_segment(self._fd)
        if self._fd is None:
            self._create(segment_path(self._folder, groups[0].first_seq))
        data = b"".join([group.frames for group in groups])
        self._pending = len(data)
        self._reserve(self._open(), self._length + len(data))
        written = 0
        while written < len(data):
            rest = memoryview(data)[written:]
            written += self._disk.write(self._open(), rest, self._length + written)

    def _create(self, path: Path) -> None:
        self._fd = self._disk.create(path)
        self._path, self._length, self._reserved = path, 0, 0
        self._disk.sync_folder(self._folder)

    def _reserve(self, fd: int, end: int) -> None:
        """Keep the file longer than what is written; where there is no space it is not."""
        if end > self._reserved:
            more = max(RESERVE_BYTES, end - self._reserved)
            if self._disk.reserve(fd, self._reserved, more):
                self._reserved += more

    def _close_segment(self, fd: int) -> None:
        """Give back what was reserved in vain; if that is lost, zeros end the file."""
        self._disk.truncate(fd, self._length)
        self._disk.close(fd)
        self._fd = None

    def _open(self) -> int:
        if self._fd is None:
            raise RuntimeError("no segment is open")
        return self._fd

    def _succeeded(self, last_seq: int) -> None:
        self._length += self._pending
        self.durable_seq = last_seq
        self._mark.put(last_seq)
        if self.disk_full:
            self._note_space()

    def _note_space(self) -> None:
        self.disk_full = False
        logger.info("the spool's disk has space again: answering")

    def _refuse(self, error: OSError) -> TiltyardError:
        if self._fd is not None:
            self._disk.truncate(self._fd, self._length)
            self._reserved = self._length
        if not self.disk_full:
            self.disk_full = True
            logger.error("the spool's disk is full (%s): refusing until there is space", error)
        return UnavailableError(
            "The gateway's disk is full, so nothing can be recorded and nothing is answered: "
            f"make space in {self._folder}, then it goes on by itself.",
            reason="disk_full",
        )

    def clean(self, every_s: float) -> None:
        """Remove segments that were confirmed long enough ago, and look for space, now and then.

        Nobody may call while the disk is full, so that no write tells that there is space.
        """
        now = time.monotonic()
        if now - self._cleaned_at >= every_s:
            self._cleaned_at = now
            confirmed = read_confirmed(self._folder)
            self._cleaner.clean(confirmed, self.durable_seq, self._path)
            if self.disk_full and self._disk.free(self._folder) > self._pending:
                self._note_space()

    def close(self) -> None:
        """Close the files."""
        if self._fd is not None:
            self._close_segment(self._fd)
        self._mark.close()
