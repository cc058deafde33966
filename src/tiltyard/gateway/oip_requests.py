"""Infer requests of the Open Inference Protocol: tensors, one a column, into rows."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tiltyard.errors import InvalidInputError, TooLargeError
from tiltyard.gateway.oip_tensors import checked, unpack, unusable

HEADER_LENGTH = "inference-header-content-length"
"""The header that says how many bytes of a body are JSON; the bytes of tensors follow."""

_UNSUPPORTED = ("classification", "shared_memory_region")


class InputTensor(msgspec.Struct):
    """An input: values in ``data``, or as bytes after the JSON."""

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

    inputs: list[InputTensor]
    id: str | None = None
    outputs: list[Asked] | None = None
    parameters: dict[str, Any] = {}

    def wanted(self, names: Sequence[str]) -> Mapping[str, bool]:
        """Return the outputs that are asked for, by default all: name → whether as bytes.

        Raises:
            InvalidInputError: one is unknown, or asked for in a form that is not supported.
        """
        binary = bool(self.parameters.get("binary_data_output", False))
        if not self.outputs:
            return dict.fromkeys(names, binary)
        for one in self.outputs:
            _refuse_extensions(one.name, one.parameters)
            if one.name not in names:
                raise InvalidInputError(
                    f"There is no output {one.name!r}. Known: {', '.join(names)}.",
                    reason="unknown_output",
                )
        return {o.name: bool(o.parameters.get("binary_data", binary)) for o in self.outputs}


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
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InvalidInputError(f"This is no infer request: {error}.", reason="not_json") from None


def rows_of(request: InferRequest, binary: bytes, max_rows: int) -> list[dict[str, Any]]:
    """Return the rows of a request, to be checked as those of any call.

    Raises:
        InvalidInputError: naming the tensor that cannot be used.
        TooLargeError: more rows than allowed.
    """
    _check_shapes(request.inputs, max_rows)
    columns = [_column(tensor, data) for tensor, data in _split(request.inputs, binary)]
    names = [tensor.name for tensor in request.inputs]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _check_shapes(inputs: Sequence[InputTensor], max_rows: int) -> None:
    if not inputs:
        raise InvalidInputError("inputs: is empty, send one for each column.", reason="empty")
    rows = (inputs[0].shape or [-1])[0]
    names = set()
    for tensor in inputs:
        if tensor.name in names:
            raise unusable(tensor.name, "is given twice")
        names.add(tensor.name)
        if tensor.shape not in ([rows], [rows, 1]) or rows < 0:
            like = f", n = {rows} as of the first" if rows >= 0 else ""
            raise unusable(tensor.name, f"has shape {tensor.shape}; send [n] or [n, 1]{like}")
    if rows > max_rows:
        raise TooLargeError(
            f"More than {max_rows} rows in one call; split them over several calls.",
            reason="too_many_rows",
            limit=max_rows,
        )


def _split(inputs: Sequence[InputTensor], binary: bytes) -> list[tuple[InputTensor, bytes | None]]:
    """Return each tensor with its bytes, if that is how its values came."""
    parts: list[tuple[InputTensor, bytes | None]] = []
    at = 0
    for tensor in inputs:
        _refuse_extensions(tensor.name, tensor.parameters)
        size = tensor.parameters.get("binary_data_size")
        if size is None:
            parts.append((tensor, None))
        else:
            parts.append((tensor, binary[at : at + _whole(size)]))
            at += _whole(size)
    if at != len(binary):
        raise InvalidInputError(
            f"{len(binary)} bytes follow the JSON part, but its tensors claim {at}: "
            f"is {HEADER_LENGTH} the length of the JSON?",
            reason="wrong_tensor",
        )
    return parts


def _column(tensor: InputTensor, data: bytes | None) -> Sequence[Any]:
    kind = tensor.datatype
    values = _flat(tensor.data or []) if data is None else unpack(tensor.name, kind, data)
    if len(values) != tensor.shape[0]:
        raise unusable(tensor.name, f"has shape {tensor.shape} and {len(values)} values")
    return checked(tensor.name, kind, values)


def _flat(data: list[Any]) -> list[Any]:
    """Flatten a tensor that was sent row by row, one level deep."""
    if any(isinstance(one, list) for one in data):
        return [value for one in data for value in (one if isinstance(one, list) else [one])]
    return data


def _refuse_extensions(name: str, parameters: Mapping[str, Any]) -> None:
    for extension in _UNSUPPORTED:
        if extension in parameters:
            raise InvalidInputError(
                f"Tensor {name!r}: the extension {extension!r} is not supported here.",
                reason="unsupported_extension",
            )


def _whole(text: Any) -> int:
    try:
        number = int(text)
    except (TypeError, ValueError):
        number = -1
    if number < 0:
        raise InvalidInputError(f"{text!r} is no number of bytes.", reason="wrong_tensor")
    return number
