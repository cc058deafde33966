"""Frames of the scorer protocol, for blocking and asyncio callers alike.

A frame is ``u32 length of what follows, u8 kind, u32 request id, body``, little endian; the
body is MessagePack. Nothing here does input or output.
"""

import struct
from enum import IntEnum
from typing import Any, NamedTuple

import msgspec

from tiltyard.errors import UnavailableError

HEADER = struct.Struct("<IBI")
COUNTED = HEADER.size - 4
"""Bytes of the header that the length counts."""

MAX_FRAME_BYTES = 64 * 2**20

Value = bool | int | float | str | None


class Kind(IntEnum):
    """What a frame is."""

    HELLO = 0
    BATCH = 1
    RESULT = 2
    ERROR = 3


class ProtocolError(UnavailableError):
    """The other end does not speak the scorer protocol; the connection is of no more use."""

    code = "scorer_protocol"


class Hello(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who answers: sent by the scorer when a client connects.

    Attributes:
        signature: the signature's digest.
        version: the version's number, if the scorer was told.
    """

    model: str
    signature: str
    engine: str
    language: str
    pid: int
    version: int | None = None


class Batch(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Rows to score.

    Attributes:
        n: number of rows.
        numeric: n x k doubles, row by row, for the float64 inputs in the signature's order.
        others: one list of n values for each other input, in the signature's order.
    """

    n: int
    numeric: bytes
    others: list[list[Any]]


class BatchError(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a batch was not scored; ``row`` counts from 0 in the batch, if one row is to blame."""

    message: str
    row: int | None = None


class BatchResult(NamedTuple):
    """Predictions in the order of the batch's rows; probabilities in the order of classes."""

    values: list[Value]
    probabilities: list[tuple[float, ...]] | None = None


class Frame(NamedTuple):
    """One frame as received; ``body`` is not decoded yet."""

    kind: int
    request_id: int
    body: bytes


_encoder = msgspec.msgpack.Encoder()
_hello = msgspec.msgpack.Decoder(Hello)
_batch = msgspec.msgpack.Decoder(Batch)
_error = msgspec.msgpack.Decoder(BatchError)
_result = msgspec.msgpack.Decoder(
    tuple[bytes | list[bool | int | float | str | None], bytes | None]
)


def encode_frame(kind: int, request_id: int, body: Any) -> bytearray:
    """Return a whole frame; a body that MessagePack cannot hold raises TypeError."""
    frame = bytearray(HEADER.size)
    _encoder.encode_into(body, frame, HEADER.size)
    HEADER.pack_into(frame, 0, len(frame) - 4, kind, request_id)
    return frame


def encode_hello(hello: Hello) -> bytearray:
    """Return the frame a scorer sends first."""
    return encode_frame(Kind.HELLO, 0, hello)


def encode_batch(request_id: int, n: int, numeric: bytes, others: list[list[Any]]) -> bytearray:
    """Return the frame of a batch; see `Batch` for the arguments."""
    return encode_frame(Kind.BATCH, request_id, (n, numeric, others))


def encode_result(
    request_id: int, values: bytes | list[Value], probabilities: bytes | None
) -> bytearray:
    """Return the frame of a result.

    Args:
        request_id: of the batch.
        values: n packed doubles for a float64 output, else a list of n.
        probabilities: n x classes packed doubles, or None.
    """
    return encode_frame(Kind.RESULT, request_id, (values, probabilities))


def encode_error(request_id: int, message: str, row: int | None = None) -> bytearray:
    """Return the frame that says why a batch was not scored."""
    return encode_frame(Kind.ERROR, request_id, BatchError(message, row))


def decode_hello(body: bytes) -> Hello:
    """Read a hello's body; ProtocolError if it is none."""
    return _decode(_hello, body, "hello")  # type: ignore[no-any-return]


def decode_batch(body: bytes) -> Batch:
    """Read a batch's body; ProtocolError if it is none."""
    return _decode(_batch, body, "batch")  # type: ignore[no-any-return]


def decode_error(body: bytes) -> BatchError:
    """Read an error's body; ProtocolError if it is none."""
    return _decode(_error, body, "error")  # type: ignore[no-any-return]


def decode_result(body: bytes, n: int) -> BatchResult:
    """Read the result of a batch of n rows; ProtocolError if it is none of n rows."""
    packed, probabilities = _decode(_result, body, "result")
    values = _doubles(packed) if isinstance(packed, bytes) else packed
    if len(values) != n:
        raise ProtocolError(f"The scorer answered {len(values)} values to {n} rows.")
    return BatchResult(list(values), _by_row(probabilities, n))


def _decode(decoder: Any, body: bytes, what: str) -> Any:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, ValueError) as error:
        raise ProtocolError(f"A frame of the scorer protocol is no {what}: {error}.") from None


def _doubles(packed: bytes) -> tuple[float, ...]:
    if len(packed) % 8:
        raise ProtocolError(f"{len(packed)} bytes are no row of doubles.")
    return struct.unpack(f"<{len(packed) // 8}d", packed)


def _by_row(packed: bytes | None, n: int) -> list[tuple[float, ...]] | None:
    if packed is None:
        return None
    flat = _doubles(packed)
    if n == 0 or len(flat) % n:
        raise ProtocolError(f"{len(flat)} probabilities do not divide into {n} rows.")
    classes = len(flat) // n
    return [flat[i * classes : (i + 1) * classes] for i in range(n)]


class FrameBuffer:
    """Cuts a stream of bytes into frames.

    Args:
        max_bytes: a longer frame is refused before it is gathered.
    """

    def __init__(self, max_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max = max_bytes
        self._data = bytearray()

    def feed(self, data: bytes | bytearray | memoryview) -> list[Frame]:
        """Take received bytes and return the frames that are now complete.

        Raises:
            ProtocolError: a frame is longer than allowed or shorter than its header.
        """
        self._data += data
        frames = []
        start = 0
        while (end := self._end_of_frame(start)) is not None:
            _, kind, request_id = HEADER.unpack_from(self._data, start)
            frames.append(Frame(kind, request_id, bytes(self._data[start + HEADER.size : end])))
            start = end
        if start:
            del self._data[:start]
        return frames

    def _end_of_frame(self, start: int) -> int | None:
        if len(self._data) - start < HEADER.size:
            return None
        length = int.from_bytes(self._data[start : start + 4], "little")
        if not COUNTED <= length <= self._max:
            raise ProtocolError(
                f"A frame claims {length} bytes; {COUNTED} to {self._max} are allowed."
            )
        end = start + 4 + length
        return end if end <= len(self._data) else None
