"""Prediction ids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiltyard.errors import InvalidInputError
from tiltyard.spool import decode_id, encode_id

KEY = b"k" * 32


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1))
def test_an_id_comes_back_as_gateway_and_seq(gateway: int, seq: int, model: int) -> None:
    """What was encoded for a model is decoded for it."""
    assert decode_id(KEY, encode_id(KEY, model, gateway, seq), model) == (gateway, seq)


def test_an_id_is_short_and_safe_in_a_url() -> None:
    """28 characters of base64url."""
    text = encode_id(KEY, 1, 2, 2**64 - 1)
    assert len(text) == 28
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_the_id_of_another_model_or_key_is_refused() -> None:
    """The MAC covers the model's number, and nobody without the key makes one."""
    text = encode_id(KEY, 1, 2, 3)
    for key, model in ((KEY, 2), (b"other", 1)):
        with pytest.raises(InvalidInputError, match="not the id of a prediction of this model"):
            decode_id(key, text, model)


def test_every_changed_character_is_refused() -> None:
    """A forged id never passes, whatever is changed."""
    text = encode_id(KEY, 1, 2, 3)
    for i in range(len(text)):
        forged = text[:i] + ("A" if text[i] != "A" else "B") + text[i + 1 :]
        with pytest.raises(InvalidInputError):
            decode_id(KEY, forged, 1)


@pytest.mark.parametrize("text", ["", "x", "é" * 28, "A" * 27, "A" * 29, "+/" * 14, "=" * 28])
def test_what_is_no_id_is_refused(text: str) -> None:
    """Text of another length or alphabet is an error of the caller, no crash."""
    with pytest.raises(InvalidInputError):
        decode_id(KEY, text, 1)
