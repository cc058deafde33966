"""Actuals that belong to nothing here or cannot be: none of the call's is kept."""

import base64
import json
import random
from typing import Any

import pytest

from support import wire
from support.gateway import GATEWAY, ID_KEY, Gateway
from support.typed import row
from support.watch import Watch
from tiltyard.spool import encode_id

pytestmark = pytest.mark.slow

NOT_OURS = "is not the id of a prediction of this model; send an id as predict answered it"
SHAPE = 'The body must be {"actuals": [{"id": …, "value": …}, …]}.'
TIME = "a time like 2024-05-01T12:00:00Z"
AHEAD = "is more than a day ahead of now, or no possible year"


def predicted(gateway: Gateway, model: str = "typed") -> str:
    """Return the id of a new prediction."""
    answer = gateway.predict(model, row())
    assert answer.status_code == 200, answer.text
    found: str = answer.json()["predictions"][0]["id"]
    return found


@pytest.fixture(scope="module")
def known(gateway: Gateway) -> str:
    """The id of a prediction."""
    return predicted(gateway)


def post(gateway: Gateway, body: bytes, model: str = "typed") -> wire.Response:
    """Send an actuals body as it is."""
    return wire.call(gateway.port, "POST", f"/models/{model}/actuals", body=body)


def refusal(gateway: Gateway, body: bytes, reason: str, status: int = 422) -> dict[str, Any]:
    """Send what must be refused; return the error. Nothing is kept, and it is counted once."""
    with Watch(gateway) as watch:
        answer = post(gateway, body)
    assert answer.status == status, answer.body
    error: dict[str, Any] = answer.json()["error"]
    assert error["details"]["reason"] == reason
    assert watch.kept == []
    assert watch.refused("typed", reason) == 1
    assert len(answer.body) < 2_000
    return error


def actuals(*items: Any) -> bytes:
    """Return a body."""
    return json.dumps({"actuals": items}).encode()


def forged(known: str) -> dict[str, str]:
    """Return texts that are no ids of the model, by what is wrong with them."""
    raw = bytearray(base64.urlsafe_b64decode(known))
    other = bytearray(raw)
    other[12] ^= 1
    key = bytes.fromhex(ID_KEY)
    return {
        "nothing": "",
        "a word": "prediction-1",
        "cut": known[:-1],
        "cut by four": known[:-4],
        "longer": known + "AAAA",
        "padded": known[:-1] + "=",
        "spaced": known + " ",
        "another seq": base64.urlsafe_b64encode(other).decode(),
        "another MAC": known[:-2] + ("AA" if known[-2:] != "AA" else "BB"),
        "another key": encode_id(bytes(32), 1, GATEWAY, 1 << 40),
        "another model": encode_id(key, 2, GATEWAY, 1 << 40),
        "another alphabet": known[:-1] + "+",
        "other digits": known[:-1] + "٣",
        "very long": known * 100_000,
        "another case": known.swapcase(),
        "zeros": "A" * len(known),
    }


@pytest.mark.parametrize("what", forged("A" * 28))
def test_a_forged_id_is_refused(gateway: Gateway, known: str, what: str) -> None:
    """The good one beside it is not taken either; the sentence names the item."""
    bad = forged(known)[what]
    good = {"id": known, "value": 1.0}
    error = refusal(gateway, actuals(good, {"id": bad, "value": 1.0}), "forged_id")
    assert error["message"] == f"actuals[1].id: {NOT_OURS}"
    assert (error["details"]["row"], error["details"]["column"]) == (1, "id")


def test_random_ids_are_refused(gateway: Gateway) -> None:
    """Whatever somebody guesses."""
    guess = random.Random(1)
    for _ in range(200):
        text = base64.urlsafe_b64encode(guess.randbytes(21)).decode()
        answer = post(gateway, actuals({"id": text, "value": 1}))
        assert answer.status == 422


def test_an_id_of_another_model_is_refused(gateway: Gateway) -> None:
    """Though it is genuine, and good for its own model."""
    item = {"id": predicted(gateway, "twin"), "value": 1.0}
    error = refusal(gateway, actuals(item), "forged_id")
    assert error["message"] == f"actuals[0].id: {NOT_OURS}"
    assert post(gateway, actuals(item), "twin").status == 202


@pytest.mark.parametrize(
    ("change", "reason", "sentence"),
    [
        ({"value": "1"}, "wrong_type", "value: expected a number, got text"),
        ({"value": True}, "wrong_type", "value: expected a number, got a boolean"),
        ({"value": None}, "null", "value: expected a number, got null"),
        ({"value": [1]}, "wrong_type", "value: expected a number, got a list"),
        ({"id": 7}, "wrong_type", "id: expected text, got an integer"),
        ({"id": None}, "null", "id: expected text, got null"),
        (
            {"known_at": "2024-05-01T12:00:00"},
            "naive_time",
            f"known_at: has no offset; send {TIME}",
        ),
        ({"known_at": "today"}, "wrong_type", f"known_at: expected {TIME}"),
        ({"known_at": 1714560000}, "wrong_type", f"known_at: expected {TIME} or null, got an int"),
        ({"known_at": "2999-01-01T00:00:00Z"}, "known_at", f"known_at: {AHEAD}"),
        ({"known_at": "9999-12-31T23:59:59-10:00"}, "known_at", f"known_at: {AHEAD}"),
        ({"known_at": "0001-01-01T00:00:00+10:00"}, "known_at", f"known_at: {AHEAD}"),
        ({"label": 1}, "unknown_column", "label: is unknown to 'typed', which knows id, value, kn"),
    ],
)
def test_a_wrong_actual_is_refused(
    gateway: Gateway, known: str, change: dict[str, Any], reason: str, sentence: str
) -> None:
    """The sentence names item and field."""
    good = {"id": known, "value": 1.0}
    error = refusal(gateway, actuals(good, good, {**good, **change}), reason)
    assert error["message"].startswith(f"actuals[2].{sentence}")


@pytest.mark.parametrize("constant", ["NaN", "-Infinity"])
def test_a_value_must_be_a_number(gateway: Gateway, known: str, constant: str) -> None:
    """NaN is no ground truth."""
    body = f'{{"actuals":[{{"id":"{known}","value":{constant}}}]}}'.encode()
    assert "(actuals[0].value)" in refusal(gateway, body, "not_finite")["message"]
    body = body.replace(constant.encode(), b"1e400")
    error = refusal(gateway, body, "out_of_range")
    assert error["message"] == "actuals[0].value: is too large for a number of 64 bits"


@pytest.mark.parametrize(
    ("body", "reason", "status", "sentence"),
    [
        (b'{"actuals":[]}', "empty", 422, "actuals: is empty, send at least one"),
        (b'{"actuals":{}}', "wrong_body", 422, SHAPE),
        (b'{"rows":[]}', "wrong_body", 422, SHAPE),
        (b"[]", "wrong_body", 422, SHAPE),
        (b"", "not_json", 422, "The body is not JSON: "),
        (b'{"actuals":[{"id":"x"}]}', "missing_column", 422, "actuals[0].value: is missing"),
        (b'{"actuals":[{"value":1}]}', "missing_column", 422, "actuals[0].id: is missing"),
        (b'{"actuals":["x"]}', "wrong_type", 422, "actuals[0]: expected an object"),
        (
            b'{"actuals":[{"id":"x","value":1,"\\u0069d":"y"}]}',
            "duplicate_key",
            422,
            "actuals[0].id: is given twice",
        ),
        (
            actuals(*[{"id": "x", "value": 1}] * 10_001),
            "too_many_rows",
            413,
            "actuals: more than 10000 in one call; split them over several calls",
        ),
    ],
)
def test_a_body_of_another_shape_is_refused(
    gateway: Gateway, body: bytes, reason: str, status: int, sentence: str
) -> None:
    """As the rows of a predict call are."""
    assert refusal(gateway, body, reason, status)["message"].startswith(sentence)


def test_what_is_unusual_but_right_is_taken(gateway: Gateway, known: str) -> None:
    """The same one twice, corrected, of long ago, of a model that has no champion any more."""
    items = [
        {"id": known, "value": 1},
        {"id": known, "value": 1},
        {"id": known, "value": -2.5, "known_at": None},
        {"id": known, "value": 3, "known_at": "1970-01-01T00:00:00Z"},
    ]
    with Watch(gateway) as watch:
        answer = post(gateway, actuals(*items))
    assert (answer.status, answer.json()) == (202, {"model": "typed", "accepted": 4})
    assert [r.value for r in watch.kept] == [1.0, 1.0, -2.5, 3.0]
    assert watch.kept[3].known_at == 0  # type: ignore[union-attr]  # an actual
    idle = encode_id(bytes.fromhex(ID_KEY), 3, GATEWAY, 1 << 40)
    assert post(gateway, actuals({"id": idle, "value": 1}), "idle").status == 202
