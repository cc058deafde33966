"""Tensors of the Open Inference Protocol, as JSON and in Triton's binary extension.

One tensor a column, of shape [n] or [n, 1]. Binary numbers are little endian and packed; BYTES
are elements of ``u32 length, bytes``. A NaN stands for a missing value, an Infinity is refused.
"""

import math
import struct
from collections.abc import Sequence
from typing import Any

import msgspec

from tiltyard.errors import InvalidInputError
from tiltyard.types.schema import ColumnType

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


class Tensor(msgspec.Struct):
    """An input or output tensor as it stands in the JSON part."""

    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] = {}
    data: list[Any] | None = None


class Asked(msgspec.Struct):
    """An output that the client asks for."""

    name: str
    parameters: dict[str, Any] = {}


class InferRequest(msgspec.Struct):
    """The JSON part of an infer request."""

    inputs: list[Tensor]
    id: str | None = None
    outputs: list[Asked] | None = None
    parameters: dict[str, Any] = {}


def datatype(column_type: ColumnType) -> str:
    """Return the protocol's name of a column's type; texts and times are BYTES."""
    return _DATATYPES.get(column_type, "BYTES")


def read_request(body: bytes, header_length: str | None) -> tuple[InferRequest, bytes]:
    """Split a body into its JSON part and its binary part.

    Args:
        body: as received.
        header_length: the header ``Inference-Header-Content-Length``.

    Raises:
        InvalidInputError: it is no infer request.
    """
    length = len(body) if header_length is None else _whole(header_length)
    try:
        return msgspec.json.decode(body[:length], type=InferRequest), body[length:]
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidInputError(f"This is no infer request: {error}.", reason="not_json") from None


def columns_of(request: InferRequest, binary: bytes) -> dict[str, list[Any]]:
    """Return the values of each input tensor.

    Raises:
        InvalidInputError: naming the tensor that cannot be used.
    """
    columns: dict[str, list[Any]] = {}
    at = 0
    for tensor in request.inputs:
        size = tensor.parameters.get("binary_data_size")
        if tensor.name in columns:
            raise _wrong(tensor, "is given twice", "duplicate_key")
        if size is None:
            values = _flat(tensor.data or [])
        else:
            values = _unpack(tensor, binary[at : at + _whole(size)])
            at += _whole(size)
        columns[tensor.name] = _checked(tensor, values)
    if at != len(binary):
        raise InvalidInputError(
            f"{len(binary)} bytes follow the JSON part, but its tensors claim {at}.",
            reason="wrong_type",
        )
    return columns


def rows_of(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Turn columns into rows.

    Raises:
        InvalidInputError: the tensors differ in length, or there are none.
    """
    lengths = {len(values) for values in columns.values()}
    if len(lengths) != 1:
        raise InvalidInputError(
            f"All inputs must have the same number of rows, not {sorted(lengths)}.",
            reason="wrong_type",
        )
    names = list(columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def write_answer(
    head: dict[str, Any], outputs: Sequence[tuple[Tensor, bool]]
) -> tuple[bytes, int | None]:
    """Return the body of an answer, and the length of its JSON part if binary follows.

    Args:
        head: the members beside ``outputs``.
        outputs: tensors with flat data, and whether each is to be binary.
    """
    parts: list[bytes] = []
    shown: list[dict[str, Any]] = []
    for tensor, binary in outputs:
        one: dict[str, Any] = {
            "name": tensor.name,
            "datatype": tensor.datatype,
            "shape": tensor.shape,
        }
        if binary:
            parts.append(_pack(tensor))
            one["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            one["data"] = tensor.data
        shown.append(one)
    text = msgspec.json.encode({**head, "outputs": shown})
    return (text + b"".join(parts), len(text)) if parts else (text, None)


def _unpack(tensor: Tensor, data: bytes) -> list[Any]:
    try:
        if tensor.datatype == "BYTES":
            return _texts(data)
        code = _CODES[tensor.datatype]
        return list(struct.unpack(f"<{len(data) // struct.calcsize(code)}{code}", data))
    except KeyError:
        raise _wrong(tensor, f"has an unknown datatype {tensor.datatype!r}") from None
    except (struct.error, UnicodeDecodeError) as error:
        raise _wrong(tensor, f"holds bytes that are no {tensor.datatype} ({error})") from None


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


def _pack(tensor: Tensor) -> bytes:
    values = tensor.data or []
    if tensor.datatype == "BYTES":
        encoded = [str(value).encode() for value in values]
        return b"".join([_LENGTH.pack(len(one)) + one for one in encoded])
    return struct.pack(f"<{len(values)}{_CODES[tensor.datatype]}", *values)


def _checked(tensor: Tensor, values: list[Any]) -> list[Any]:
    rows = tensor.shape[0] if tensor.shape else -1
    if rows != len(values) or tensor.shape[1:] not in ([], [1]):
        raise _wrong(tensor, f"has shape {tensor.shape} and {len(values)} values; send [n]")
    if tensor.datatype.startswith("FP"):
        return [_number(tensor, value) for value in values]
    return values


def _number(tensor: Tensor, value: Any) -> Any:
    if not isinstance(value, float) or math.isfinite(value):
        return value
    if math.isinf(value):
        raise _wrong(tensor, "holds an Infinity", "out_of_range")
    return None


def _flat(data: list[Any]) -> list[Any]:
    """Flatten a tensor that was sent row by row, one level deep."""
    if any(isinstance(one, list) for one in data):
        return [value for one in data for value in (one if isinstance(one, list) else [one])]
    return data


def _whole(text: Any) -> int:
    try:
        number = int(text)
    except (TypeError, ValueError):
        number = -1
    if number < 0:
        raise InvalidInputError(f"{text!r} is no number of bytes.", reason="wrong_type")
    return number


def _wrong(tensor: Tensor, what: str, reason: str = "wrong_type") -> InvalidInputError:
    return InvalidInputError(f"Input {tensor.name!r} {what}.", reason=reason, column=tensor.name)
