"""Values in R's serialization format (version 2, little endian), as ``unserialize`` reads them.

R makes of it exactly what was written: every bit of a double, ``NA`` of each type, UTF-8.
"""

import struct
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from tiltyard.scoring.engines.base import Doubles

Integers = NDArray[np.int32]

HEADER = b"B\n" + struct.pack("<3i", 2, 0x00030500, 0x00020300)
NULL = struct.pack("<i", 254)
NA_INTEGER = -(2**31)
NA_DOUBLE_BITS = 0x7FF0_0000_0000_07A2
"""A NaN with the payload 1954."""

_SYMBOL, _TEXT, _LOGICALS, _INTEGERS, _DOUBLES, _TEXTS, _LIST = 1, 9, 10, 13, 14, 16, 19
_PAIR = struct.pack("<i", 0x402)
_UTF8 = 8 << 12
_OBJECT, _ATTRIBUTES = 0x100, 0x200
_NA_TEXT = struct.pack("<2i", _TEXT, -1)


def doubles(values: Doubles, attributes: bytes = b"") -> bytes:
    """Return doubles; NaN becomes NA. Attributes are those of `tagged`, with a class."""
    bits = np.ascontiguousarray(values).view(np.int64)
    if (missing := np.isnan(values)).any():
        bits = np.where(missing, NA_DOUBLE_BITS, bits)
    return _head(_DOUBLES, len(values), attributes) + bits.astype("<i8").tobytes() + attributes


def integers(values: Integers, attributes: bytes = b"") -> bytes:
    """Return integers, `NA_INTEGER` being NA."""
    return _head(_INTEGERS, len(values), attributes) + values.astype("<i4").tobytes() + attributes


def logicals(values: Integers) -> bytes:
    """Return logicals from 0, 1 and `NA_INTEGER`."""
    return _head(_LOGICALS, len(values), b"") + values.astype("<i4").tobytes()


def texts(values: Iterable[str | None], n: int) -> bytes:
    """Return n texts, None being NA; none may hold NUL."""
    return _head(_TEXTS, n, b"") + b"".join(map(_text, values))


def items(values: Sequence[bytes], attributes: bytes) -> bytes:
    """Return a list; attributes without a class are given as names only."""
    return _head(_LIST, len(values), attributes) + b"".join(values) + attributes


def named(values: dict[str, bytes]) -> bytes:
    """Return a list with names, and nothing else to it."""
    flags = struct.pack("<2i", _LIST | _ATTRIBUTES, len(values))
    return flags + b"".join(values.values()) + tagged(names=texts(values, len(values)))


def tagged(**attributes: bytes) -> bytes:
    """Return attributes in their order; ``_`` in a name stands for a dot."""
    parts = []
    for name, value in attributes.items():
        parts += [_PAIR, struct.pack("<i", _SYMBOL), _text(name.replace("_", ".")), value]
    return b"".join(parts) + NULL


def _head(kind: int, n: int, attributes: bytes) -> bytes:
    return struct.pack("<2i", kind | (_OBJECT | _ATTRIBUTES) * bool(attributes), n)


def _text(value: str | None) -> bytes:
    if value is None:
        return _NA_TEXT
    encoded = value.encode()
    return struct.pack("<2i", _TEXT | _UTF8, len(encoded)) + encoded
