"""The gateway's durable local log: checksummed frames in segment files, one writer."""

from tiltyard.spool.ids import decode_id, encode_id
from tiltyard.spool.marks import SpoolInfo, open_spool, read_info
from tiltyard.spool.reader import SpoolReader
from tiltyard.spool.writer import SpoolWriter

__all__ = [
    "SpoolInfo",
    "SpoolReader",
    "SpoolWriter",
    "decode_id",
    "encode_id",
    "open_spool",
    "read_info",
]
