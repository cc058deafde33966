"""The small files beside the segments: who the spool is, what is durable, what is confirmed."""

import os
import struct
import uuid
from pathlib import Path

import msgspec

from tiltyard.errors import IntegrityError
from tiltyard.spool.disk import FULL, Disk

_MARK = struct.Struct("<QQ")
_MASK = 2**64 - 1


class SpoolInfo(msgspec.Struct, frozen=True):
    """``spool.json``.

    Attributes:
        spool: names this folder for good; control lends a number to it.
        gateway: that number; None until control gave it.
        epoch: how often a writer has started here.
    """

    spool: str
    gateway: int | None = None
    epoch: int = 0


def open_spool(folder: Path) -> SpoolInfo:
    """Return the spool's info; a new folder gets a new name."""
    folder.mkdir(parents=True, exist_ok=True)
    info = read_info(folder)
    if info is None:
        info = SpoolInfo(spool=uuid.uuid4().hex)
        write_info(folder, info, Disk())
        write_confirmed(folder, 0)
    return info


def read_info(folder: Path) -> SpoolInfo | None:
    """Return the spool's info, None where there is no spool.

    Raises:
        IntegrityError: the file is damaged.
    """
    path = folder / "spool.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=SpoolInfo)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise IntegrityError(f"{path} is damaged ({error}): put it back from a backup.") from None


def write_info(folder: Path, info: SpoolInfo, disk: Disk) -> None:
    """Put ``spool.json`` in place, durably."""
    disk.replace(folder / "spool.json", msgspec.json.encode(info))


class DurableMark:
    """The file ``durable``: the last seq that was synced, for readers in other processes.

    It is overwritten in place after each sync (16 bytes: the seq and its complement, so that a
    half-written one is seen) and never synced itself: what it says is always on the medium, and
    after a crash it may only be behind, until the next start.
    """

    def __init__(self, folder: Path, *, write: bool = False) -> None:
        flags = os.O_RDWR | os.O_CREAT if write else os.O_RDONLY
        self._fd = os.open(folder / "durable", flags | os.O_CLOEXEC, 0o640)

    def put(self, seq: int) -> None:
        """Publish a seq."""
        os.pwrite(self._fd, _MARK.pack(seq, seq ^ _MASK), 0)

    def get(self) -> int | None:
        """Return the published seq; None if there is none, or it is just being written."""
        data = os.pread(self._fd, _MARK.size, 0)
        if len(data) != _MARK.size:
            return None
        seq, complement = _MARK.unpack(data)
        return int(seq) if seq ^ _MASK == complement else None

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def read_confirmed(folder: Path) -> int:
    """Return the seq up to which the store has everything; 0 when nothing was confirmed."""
    try:
        return int((folder / "confirmed").read_text() or 0)
    except FileNotFoundError:
        return 0


def write_confirmed(folder: Path, seq: int) -> None:
    """Replace the mark. It may be lost: then records are only sent again.

    On a full disk it is overwritten in place, in the same length: segments are removed, and so
    there is space again, only after they are confirmed.
    """
    text = f"{seq:020d}\n"
    path, new = folder / "confirmed", folder / ".confirmed.new"
    try:
        new.write_text(text)
        new.replace(path)
    except OSError as error:
        if error.errno not in FULL:
            raise
        with path.open("r+") as file:
            file.write(text)
