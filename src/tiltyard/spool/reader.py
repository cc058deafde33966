"""Reading a spool from another process, no further than what is durable."""

import bisect
import io
from collections.abc import Iterator
from pathlib import Path

from tiltyard.errors import IntegrityError
from tiltyard.spool.frames import HEADER, is_blank, read_frame
from tiltyard.spool.marks import DurableMark, read_confirmed, read_info, write_confirmed
from tiltyard.spool.segments import segments
from tiltyard.types.records import LogRecord, decode_record

_BUFFER = io.DEFAULT_BUFFER_SIZE * 32


class SpoolReader:
    """The worker's view of one gateway's spool.

    Reading on from the last seq that was returned is cheap; from elsewhere a segment is
    scanned from its start.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._mark: DurableMark | None = None
        self._place: tuple[int, Path, int] | None = None

    @property
    def gateway(self) -> int | None:
        """The number of the spool's gateway; None before control gave one."""
        info = read_info(self.folder)
        return None if info is None else info.gateway

    def durable(self) -> int:
        """Return the last seq that is on the medium; 0 when there is none."""
        try:
            self._mark = self._mark or DurableMark(self.folder)
        except FileNotFoundError:
            return 0
        return self._mark.get() or 0

    def read(self, after_seq: int, limit: int) -> list[LogRecord]:
        """Return the durable records with seq > ``after_seq``, in order, at most ``limit``.

        Raises:
            IntegrityError: a record that was once durable is damaged.
        """
        durable = self.durable()
        found: list[LogRecord] = []
        if after_seq >= durable or limit <= 0:
            return found
        for path, offset in self._from(after_seq):
            for place, record in _records(path, offset):
                if record.seq > after_seq:
                    found.append(record)
                    self._place = record.seq, path, place
                    if len(found) == limit or record.seq >= durable:
                        return found
        if durable > self.confirmed():
            raise self._damaged(f"ends before seq {durable}")
        return found

    def _from(self, after_seq: int) -> Iterator[tuple[Path, int]]:
        """Yield (segment, offset) from which to read, in order."""
        found = segments(self.folder)
        firsts = [first for first, _ in found]
        start = max(bisect.bisect_right(firsts, after_seq) - 1, 0)
        for _, path in found[start:]:
            yield path, self._offset(path, after_seq)

    def _offset(self, path: Path, after_seq: int) -> int:
        """Where the last read ended, when it ended in this segment and is read on from there."""
        if self._place is None or self._place[:2] != (after_seq, path):
            return 0
        return self._place[2]

    def confirmed(self) -> int:
        """Return the seq up to which the store has everything; 0 when nothing was confirmed."""
        return read_confirmed(self.folder)

    def confirm(self, seq: int) -> None:
        """Say that the store has everything up to this seq."""
        write_confirmed(self.folder, seq)

    def _damaged(self, what: str) -> IntegrityError:
        return IntegrityError(
            f"The spool {self.folder} {what}, which was durable: its disk lost records.",
            folder=str(self.folder),
        )

    def close(self) -> None:
        """Close the files."""
        if self._mark is not None:
            self._mark.close()
            self._mark = None


def _records(path: Path, offset: int) -> Iterator[tuple[int, LogRecord]]:
    """Yield (offset behind the frame, record) from an offset on; nothing of a removed segment."""
    try:
        file = path.open("rb", buffering=_BUFFER)
    except FileNotFoundError:  # confirmed long ago, and removed since the folder was listed
        return
    with file:
        file.seek(offset)
        while (payload := read_frame(file)) is not None:
            offset += HEADER.size + len(payload)
            yield offset, decode_record(payload)
        if not is_blank(file, offset):
            raise IntegrityError(f"{path} is damaged at byte {offset}: its disk lost records.")
