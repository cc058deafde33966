"""Prediction ids: an opaque text of gateway and seq, authenticated for one model.

21 bytes as 28 characters of base64url: a format byte, gateway (u32), seq (u64), and a 64-bit
keyed BLAKE2b (RFC 7693) over them and the model's number. Nothing needs to be looked up.
"""

import binascii
import hashlib
import hmac
import struct
from functools import lru_cache
from typing import Any

from tiltyard.errors import InvalidInputError

_FORMAT = 1
_BODY = struct.Struct(">BIQ")
_MODEL = struct.Struct(">I")
_MAC_BYTES = 8
_TEXT_LENGTH = 28
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_+/", b"+/??")


def encode_id(key: bytes, model_number: int, gateway: int, seq: int) -> str:
    """Return the id under which an application names a prediction later."""
    body = _BODY.pack(_FORMAT, gateway, seq)
    raw = body + _mac(key, model_number, body)
    return binascii.b2a_base64(raw, newline=False).translate(_TO_URL).decode()


def decode_id(key: bytes, text: str, model_number: int) -> tuple[int, int]:
    """Return (gateway, seq) of an id.

    Raises:
        InvalidInputError: it was not made here, or not for this model.
    """
    raw = _raw(text)
    body, mac = raw[: _BODY.size], raw[_BODY.size :]
    if not hmac.compare_digest(mac, _mac(key, model_number, body)) or body[0] != _FORMAT:
        raise _not_ours()
    _, gateway, seq = _BODY.unpack(body)
    return gateway, seq


def _raw(text: str) -> bytes:
    if len(text) != _TEXT_LENGTH or not text.isascii():
        raise _not_ours()
    try:
        return binascii.a2b_base64(text.encode().translate(_FROM_URL), strict_mode=True)
    except binascii.Error:
        raise _not_ours() from None


def _not_ours() -> InvalidInputError:
    return InvalidInputError(
        "is not the id of a prediction of this model; send an id as predict answered it"
    )


def _mac(key: bytes, model_number: int, body: bytes) -> bytes:
    state = _keyed(key, model_number).copy()
    state.update(body)
    return state.digest()  # type: ignore[no-any-return]  # hashlib's state has no public type


@lru_cache(maxsize=1024)
def _keyed(key: bytes, model_number: int) -> Any:
    return hashlib.blake2b(_MODEL.pack(model_number), key=key, digest_size=_MAC_BYTES)
