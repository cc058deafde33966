"""Frames of a segment: ``u32 length, u32 crc32 of the payload, payload``, little endian."""

import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from tiltyard.types.records import LogRecord, decode_record, encode_record

HEADER = struct.Struct("<II")
MAX_PAYLOAD = 64_000_000
"""No payload is longer, so that a damaged length cannot ask for all memory."""


def encode_frames(records: Sequence[LogRecord]) -> bytes:
    """Return the records' frames, one after the other."""
    parts: list[bytes] = []
    for record in records:
        payload = encode_record(record)
        parts.append(HEADER.pack(len(payload), zlib.crc32(payload)))
        parts.append(payload)
    return b"".join(parts)


def read_frame(file: BinaryIO) -> bytes | None:
    """Return the next payload; None at the end, at a zero length and at a bad frame."""
    head = file.read(HEADER.size)
    if len(head) < HEADER.size:
        return None
    length, crc = HEADER.unpack(head)
    if not 0 < length <= MAX_PAYLOAD:
        return None
    payload = file.read(length)
    return payload if len(payload) == length and zlib.crc32(payload) == crc else None


def is_blank(file: BinaryIO, offset: int) -> bool:
    """Return whether a file holds nothing but zeros from an offset on: reserved, never written."""
    file.seek(offset)
    while part := file.read(1 << 20):
        if part.count(0) != len(part):
            return False
    return True


def read_segment(path: Path) -> Iterator[tuple[int, LogRecord]]:
    """Yield (offset behind the frame, record) for each good frame from the start on."""
    offset = 0
    with path.open("rb", buffering=io.DEFAULT_BUFFER_SIZE * 32) as file:
        while (payload := read_frame(file)) is not None:
            offset += HEADER.size + len(payload)
            yield offset, decode_record(payload)
