"""Folders as plain tars: packed in bounded memory, unpacked with suspicion."""

import errno
import tarfile
from collections.abc import Iterator
from pathlib import Path
from shutil import copyfileobj
from typing import BinaryIO, Self

from tiltyard.artifacts.disk import room_on
from tiltyard.artifacts.folders import CHUNK, check_name, files
from tiltyard.errors import IntegrityError, InvalidInputError, TooLargeError

MAX_HEADER = 1 << 16
"""Largest header of a name and the like; a tar may claim any size for one."""
EXTENDED = {
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
}
UNFIT = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG}
PLAIN = {tarfile.REGTYPE, tarfile.AREGTYPE}


def pack(folder: Path) -> Iterator[bytes]:
    """Return a folder's files as the pieces of a tar; the same files give the same bytes."""
    return _pieces(files(folder))


def unpack(source: BinaryIO, into: Path, max_bytes: int) -> None:
    """Write the files of an uncompressed tar below a new or empty folder.

    Files are written one by one rather than by ``extractall(filter="data")``: that mends some
    names which are refused here, and early Pythons 3.11 lack it.

    Args:
        source: a binary file or stream; it need not seek.
        into: the folder; what was written before an error stays there.
        max_bytes: most bytes of all files and their headers together.

    Raises:
        InvalidInputError: not a tar, or one with links, special files, or paths that are
            absolute, climb, or occur twice.
        TooLargeError: it holds more than ``max_bytes``.
        UnavailableError: the disk is full.
    """
    into.mkdir(parents=True, exist_ok=True)
    if any(into.iterdir()):
        raise InvalidInputError(f"{into} is not empty.")
    try:
        with room_on(into), tarfile.open(fileobj=source, mode="r|", tarinfo=_Header) as tar:
            _unpack(tar, into, max_bytes)
    except tarfile.TarError as error:
        raise InvalidInputError(f"This is no whole, uncompressed tar: {error}.") from None


class _Header(tarfile.TarInfo):
    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        if header.type in EXTENDED and header.size > MAX_HEADER:
            raise InvalidInputError(f"A header of the tar claims {header.size} bytes.")
        return header


def _unpack(tar: tarfile.TarFile, into: Path, max_bytes: int) -> None:
    used = 0
    for member in tar:
        used += tarfile.BLOCKSIZE + member.size
        if used > max_bytes:
            raise TooLargeError(f"The tar holds more than {max_bytes} bytes.", limit=max_bytes)
        _unpack_member(tar, member, into)


def _unpack_member(tar: tarfile.TarFile, member: tarfile.TarInfo, into: Path) -> None:
    name = member.name.removeprefix("./")
    if member.isdir() and name in {"", "."}:
        return
    check_name(name)
    try:
        if member.isdir():
            (into / name).mkdir(parents=True, exist_ok=True)
        else:
            _write(tar, member, into / name)
    except OSError as error:
        if error.errno not in UNFIT:
            raise
        raise InvalidInputError(f"The tar's {name!r} is there twice or too long.") from None


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    content = tar.extractfile(member) if member.type in PLAIN else None
    if content is None or member.issparse():
        raise InvalidInputError(f"{member.name!r} in the tar is neither a plain file nor a folder.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as target:
        copyfileobj(content, target, CHUNK)


def _pieces(found: dict[str, Path]) -> Iterator[bytes]:
    for name, path in found.items():
        with path.open("rb") as file:
            header = tarfile.TarInfo(name)
            header.size = path.stat().st_size
            yield header.tobuf(tarfile.PAX_FORMAT)
            yield from _content(file, header.size, name)
            yield bytes(-header.size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _content(file: BinaryIO, size: int, name: str) -> Iterator[bytes]:
    left = size
    while left:
        piece = file.read(min(CHUNK, left))
        if not piece:
            raise IntegrityError(f"{name} became shorter while it was packed.")
        left -= len(piece)
        yield piece
