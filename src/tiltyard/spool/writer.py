"""The spool's one writer: whole batches in, one write and one fdatasync, then the answers."""

import fcntl
import logging
import os
import queue
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from tiltyard.errors import ConflictError, TiltyardError
from tiltyard.spool.committer import Committer, Group, die
from tiltyard.spool.disk import Disk
from tiltyard.spool.frames import encode_frames
from tiltyard.spool.marks import DurableMark, SpoolInfo, open_spool, write_info
from tiltyard.spool.segments import recover
from tiltyard.types.records import EPOCH_BITS, LogRecord

logger = logging.getLogger(__name__)

Done = Callable[[TiltyardError | None], None]
"""Called on the loop when a batch is durable, or with the reason why it is not kept."""

CLEAN_EVERY_S = 1.0


class SpoolWriter:
    """Appends records durably, in the order in which they were numbered.

    ``reserve`` and ``append`` are called from one thread (the event loop), one right after the
    other; a thread of its own writes.

    Args:
        folder: the spool's folder.
        gateway: number that control gave this spool.
        segment_bytes: size at which a new segment begins.
        keep_confirmed_s: how long a wholly confirmed segment stays.
        call_soon: how the loop is told of a drained queue: ``loop.call_soon_threadsafe``.
        disk: the calls to the operating system.
        fatal: what to do when the disk fails; ends the process unless told otherwise.
    """

    def __init__(
        self,
        folder: Path,
        gateway: int,
        *,
        segment_bytes: int = 16_000_000,
        keep_confirmed_s: float = 900.0,
        call_soon: Callable[[Callable[[], None]], object],
        disk: Disk | None = None,
        fatal: Callable[[Exception], None] = die,
    ) -> None:
        self.folder = folder
        self.gateway = gateway
        self._segment_bytes = segment_bytes
        self._keep_confirmed_s = keep_confirmed_s
        self._call_soon = call_soon
        self._disk = disk or Disk()
        self._fatal = fatal
        self._queue: queue.SimpleQueue[Group | None] = queue.SimpleQueue()
        self._next_model_seq: dict[str, int] = {}

    def start(self) -> None:
        """Take the folder, raise the epoch durably, drop a torn tail, begin to write.

        Raises:
            ConflictError: another process writes here, or the folder is another gateway's.
            OSError: the disk does not take the new epoch.
        """
        self._lock = _lock(self.folder)
        info = _raised(open_spool(self.folder), self.gateway, self.folder)
        write_info(self.folder, info, self._disk)
        self.epoch = info.epoch
        last = recover(self.folder, self._disk)
        mark = DurableMark(self.folder, write=True)
        _complain_of_loss(self.folder, mark.get() or 0, last or 0)
        mark.put(last or 0)
        self._next_seq = self.epoch << EPOCH_BITS
        self._start_thread(mark, last)

    def _start_thread(self, mark: DurableMark, last: int | None) -> None:
        self._committer = Committer(
            self.folder, self._segment_bytes, self._keep_confirmed_s, self._disk, mark, last
        )
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._thread.start()

    def reserve(self, model: str, count: int) -> tuple[int, int]:
        """Return the first seq and model_seq of ``count`` records that are appended next."""
        seq = self._next_seq
        model_seq = self._next_model_seq.get(model, self.epoch << EPOCH_BITS)
        self._next_seq = seq + count
        self._next_model_seq[model] = model_seq + count
        return seq, model_seq

    def append(self, records: Sequence[LogRecord], done: Done) -> None:
        """Queue records as one batch: all are kept, or none.

        Args:
            records: in the order of their reserved numbers.
            done: called on the loop once they are durable, or with an UnavailableError
                when the disk is full.
        """
        frames = encode_frames(records)
        self._queue.put(Group(frames, records[0].seq, records[-1].seq, done))

    @property
    def durable_seq(self) -> int:
        """The last seq that is on the medium; 0 when there is none."""
        return self._committer.durable_seq or 0

    @property
    def disk_full(self) -> bool:
        """Whether the last write failed for want of space."""
        return self._committer.disk_full

    def close(self) -> None:
        """Write what is queued, then stop. What is queued later is never answered."""
        self._queue.put(None)
        self._thread.join()
        self._committer.close()
        os.close(self._lock)

    def _run(self) -> None:
        try:
            while (groups := self._drain()) is not None:
                if groups:
                    self._commit(groups)
                self._committer.clean(CLEAN_EVERY_S)
        except Exception as error:  # whatever it is: without this thread no call is ever answered
            self._fatal(error)

    def _drain(self) -> list[Group] | None:
        """Wait for work; return all of it, nothing after a while, None at the end."""
        groups: list[Group] = []
        try:
            group = self._queue.get(timeout=CLEAN_EVERY_S)
        except queue.Empty:
            return groups
        while group is not None:
            groups.append(group)
            if self._queue.empty():  # nobody else takes from it
                return groups
            group = self._queue.get()
        if groups:
            self._commit(groups)
        return None

    def _commit(self, groups: list[Group]) -> None:
        error = self._committer.commit(groups)
        self._call_soon(lambda: _finish(groups, error))


def _finish(groups: list[Group], error: TiltyardError | None) -> None:
    for group in groups:
        group.done(error)


def _complain_of_loss(folder: Path, durable: int, last: int) -> None:
    if durable > last > 0:
        logger.error("%s was durable up to seq %d, but ends at %d now", folder, durable, last)


def _lock(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise ConflictError(
            f"Another gateway writes to {folder}: stop it, or give this one another name."
        ) from None
    return fd


def _raised(info: SpoolInfo, gateway: int, folder: Path) -> SpoolInfo:
    if info.gateway not in {None, gateway}:
        raise ConflictError(
            f"The spool {folder} belongs to gateway {info.gateway}, not {gateway}: control was "
            "replaced by another. Move that folder away once its records are in the store."
        )
    return msgspec.structs.replace(info, gateway=gateway, epoch=info.epoch + 1)
