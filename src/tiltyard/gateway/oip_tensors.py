"""Values of the Open Inference Protocol's tensors, as JSON and in Triton's binary extension.

Binary numbers are little endian and packed; BYTES are elements of ``u32 length, UTF-8 text``.
"""

import math
import struct
from collections.abc import Sequence
from typing import Any

from tiltyard.errors import InvalidInputError
from tiltyard.types.schema import ColumnType

BYTES = "BYTES"

_CODES = {
    "BOOL": "?",
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
    "FP16": "e",
    "FP32": "f",
    "FP64": "d",
}
_DATATYPES = {
    ColumnType.BOOL: "BOOL",
    ColumnType.INT64: "INT64",
    ColumnType.FLOAT64: "FP64",
}
_LENGTH = struct.Struct("<I")


def datatype(column_type: ColumnType) -> str:
    """Return the protocol's name of a column's type; texts and times are BYTES."""
    return _DATATYPES.get(column_type, BYTES)


def unpack(name: str, kind: str, data: bytes) -> Sequence[Any]:
    """Return the values of a binary tensor.

    Args:
        name: of the tensor, for errors.
        kind: its datatype.
        data: its bytes.

    Raises:
        InvalidInputError: naming the tensor whose bytes are no values of that datatype.
    """
    try:
        return _texts(data) if kind == BYTES else _numbers(kind, data)
    except (struct.error, UnicodeDecodeError) as error:
        raise unusable(name, f"holds bytes that are no {kind} ({error})") from None


def pack(kind: str, values: Sequence[Any]) -> bytes:
    """Return values as bytes; a missing number is NaN."""
    if kind == BYTES:
        texts = [str(value).encode() for value in values]
        return b"".join([_LENGTH.pack(len(text)) + text for text in texts])
    if kind.startswith("FP"):
        values = [math.nan if value is None else value for value in values]
    return struct.pack(f"<{len(values)}{_CODES[kind]}", *values)


def checked(name: str, kind: str, values: Sequence[Any]) -> Sequence[Any]:
    """Return values as a row holds them: NaN, which JSON does not have, is a missing number.

    Raises:
        InvalidInputError: naming the tensor of an unknown datatype, or the row of an Infinity.
    """
    if kind not in _CODES and kind != BYTES:
        raise unusable(name, f"has a datatype {kind!r}; known: {', '.join((BYTES, *_CODES))}")
    if kind.startswith("FP"):
        return [_finite(name, row, value) for row, value in enumerate(values)]
    return values


def unusable(name: str, what: str) -> InvalidInputError:
    """Return the error of a tensor that cannot be used."""
    return InvalidInputError(f"Input {name!r} {what}.", reason="wrong_tensor", column=name)


def _numbers(kind: str, data: bytes) -> tuple[Any, ...]:
    code = _CODES.get(kind)
    if code is None:
        raise struct.error("the datatype is unknown")
    return struct.unpack(f"<{len(data) // struct.calcsize(f'<{code}')}{code}", data)


def _texts(data: bytes) -> list[str]:
    texts = []
    at = 0
    while at < len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size + length
        if at > len(data):
            raise struct.error("an element is longer than the data")
        texts.append(data[at - length : at].decode())
    return texts


def _finite(name: str, row: int, value: Any) -> Any:
    if not isinstance(value, float) or math.isfinite(value):
        return value
    if math.isnan(value):
        return None
    raise InvalidInputError(
        f"rows[{row}].{name}: Infinity cannot be used; send NaN for a missing number",
        reason="out_of_range",
        row=row,
        column=name,
    )
