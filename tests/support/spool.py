"""Records, a writer in a loop, and disks that watch or forget, for tests of the spool."""

import asyncio
import errno
from collections.abc import Sequence
from pathlib import Path

from tiltyard.errors import TiltyardError
from tiltyard.spool import SpoolWriter
from tiltyard.spool.disk import Disk
from tiltyard.types.records import PredictionRecord


def write_predictions(
    writer: SpoolWriter, count: int, model: str = "bikes", text: str = ""
) -> "asyncio.Future[list[int]]":
    """Append predictions as one batch; the future holds their seqs, or the writer's error."""
    future: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
    seq, model_seq = writer.reserve(model, count)
    records = [
        PredictionRecord(
            gateway=writer.gateway,
            seq=seq + i,
            model=model,
            model_seq=model_seq + i,
            received_at=1_700_000_000_000_000 + i,
            event_time=None,
            version=1,
            row={"x": float(i), "text": text},
            value=float(i),
        )
        for i in range(count)
    ]

    def done(error: TiltyardError | None) -> None:
        if error is None:
            future.set_result([r.seq for r in records])
        else:
            future.set_exception(error)

    writer.append(records, done)
    return future


def make_writer(folder: Path, **options: object) -> SpoolWriter:
    """Return a started writer of gateway 1 on the running loop."""
    loop = asyncio.get_running_loop()
    writer = SpoolWriter(folder, 1, call_soon=loop.call_soon_threadsafe, **options)  # type: ignore[arg-type]  # options are the writer's own
    writer.start()
    return writer


class WatchedDisk(Disk):
    """The real disk; ``calls`` is what was asked of it, in order."""

    def __init__(self, calls: list[str]) -> None:
        self.calls = calls

    def create(self, path: Path) -> int:
        """Note it and do it."""
        self.calls.append("create")
        return super().create(path)

    def write(self, fd: int, data: memoryview, offset: int) -> int:
        """Note it and do it."""
        self.calls.append("write")
        return super().write(fd, data, offset)

    def sync(self, fd: int) -> None:
        """Note it and do it."""
        super().sync(fd)
        self.calls.append("synced")

    def sync_folder(self, folder: Path) -> None:
        """Note it and do it."""
        super().sync_folder(folder)
        self.calls.append("folder synced")


class ForgetfulDisk(Disk):
    """Keeps what was written in memory; only a sync brings it to the file.

    What a power cut leaves is what the folder holds. No real disk can be asked for that.
    """

    def __init__(self, syncs: int | None = None) -> None:
        self._unsynced: dict[int, list[tuple[int, bytes]]] = {}
        self._syncs_left = syncs

    def write(self, fd: int, data: memoryview, offset: int) -> int:
        """Take it into memory."""
        self._unsynced.setdefault(fd, []).append((offset, bytes(data)))
        return len(data)

    def sync(self, fd: int) -> None:
        """Bring it to the file, or fail when the syncs are used up."""
        if self._syncs_left == 0:
            raise OSError(errno.EIO, "the medium is gone")
        if self._syncs_left is not None:
            self._syncs_left -= 1
        for offset, data in self._unsynced.pop(fd, []):
            super().write(fd, memoryview(data), offset)
        super().sync(fd)


def seqs(records: Sequence[object]) -> list[int]:
    """Return the records' seqs."""
    return [r.seq for r in records]  # type: ignore[attr-defined]  # every log record has one
