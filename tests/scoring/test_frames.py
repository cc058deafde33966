"""The frames of the scorer protocol."""

import struct
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiltyard.scoring import frames
from tiltyard.scoring.frames import FrameBuffer, Hello, Kind, ProtocolError


def body_of(frame: bytearray) -> bytes:
    """Return the body of a frame that was received whole."""
    (found,) = FrameBuffer().feed(frame)
    return found.body


def test_a_batch_is_laid_out_as_documented() -> None:
    """Length, kind, request id, then MessagePack of [n, numeric, others], little endian."""
    at = datetime(2011, 4, 1, tzinfo=UTC)
    frame = frames.encode_batch(7, 1, struct.pack("<d", 1.5), [["a"], [at], [None]])
    assert struct.unpack_from("<IBI", frame) == (len(frame) - 4, 1, 7)
    decoded = msgspec.msgpack.decode(bytes(frame[9:]))
    assert decoded == [1, struct.pack("<d", 1.5), [["a"], [at], [None]]]
    assert frames.decode_batch(body_of(frame)).others[1] == [at]


def test_doubles_come_back_to_the_bit() -> None:
    """Values and probabilities are doubles, not text."""
    values = struct.pack("<2d", 0.1 + 0.2, -0.0)
    chances = struct.pack("<4d", 0.25, 0.75, 1e-300, 1.0)
    result = frames.decode_result(body_of(frames.encode_result(1, values, chances)), 2)
    assert struct.pack("<2d", *result.values) == values
    assert result.probabilities == [(0.25, 0.75), (1e-300, 1.0)]


def test_labels_keep_their_type() -> None:
    """True, 1 and "1" are three different labels."""
    result = frames.decode_result(body_of(frames.encode_result(1, [True, 1, "1"], None)), 3)
    assert [type(v) for v in result.values] == [bool, int, str]
    assert result.probabilities is None


def test_hello_and_error_may_leave_fields_out() -> None:
    """A version that is not known and a row that cannot be named are not sent."""
    hello = Hello(model="m", signature="s", engine="onnx", language="python", pid=1)
    assert b"version" not in frames.encode_hello(hello)
    assert frames.decode_hello(body_of(frames.encode_hello(hello))) == hello
    assert frames.decode_error(body_of(frames.encode_error(3, "no"))).row is None
    assert frames.decode_error(body_of(frames.encode_error(3, "no", 0))).row == 0


@given(st.lists(st.binary(max_size=50), max_size=6), st.integers(1, 20))
def test_frames_are_found_however_the_stream_is_cut(bodies: list[bytes], piece: int) -> None:
    """Where one read ends and the next begins changes nothing."""
    stream = b"".join(frames.encode_frame(Kind.BATCH, i, b) for i, b in enumerate(bodies))
    buffer = FrameBuffer()
    found = []
    for start in range(0, len(stream), piece):
        found += buffer.feed(stream[start : start + piece])
    assert [f.request_id for f in found] == list(range(len(bodies)))
    assert [msgspec.msgpack.decode(f.body) for f in found] == bodies


@pytest.mark.parametrize("length", [0, 4, 1001, 2**32 - 1])
def test_a_frame_of_an_impossible_length_is_refused_at_once(length: int) -> None:
    """Nothing is gathered for a frame that is too long or shorter than its header."""
    with pytest.raises(ProtocolError, match="claims"):
        FrameBuffer(max_bytes=1000).feed(struct.pack("<IBI", length, 1, 1))


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x93\x01", b"\xa3abc", b"\x93\x01\xa1a\x90"])
def test_a_body_that_is_no_batch_is_refused(body: bytes) -> None:
    """Broken MessagePack and MessagePack of something else say so."""
    with pytest.raises(ProtocolError, match="no batch"):
        frames.decode_batch(body)


@pytest.mark.parametrize(
    ("values", "chances"),
    [(b"12345678", None), (b"123", None), (b"1234567812345678", b"123"), ([1, 2], b"12345678")],
)
def test_a_result_of_another_size_is_refused(
    values: bytes | list[frames.Value], chances: bytes | None
) -> None:
    """A scorer that answers too few values or probabilities is not believed."""
    with pytest.raises(ProtocolError):
        frames.decode_result(body_of(frames.encode_result(1, values, chances)), 2)
