"""Bad input of calls: each is refused with a sentence that names row and field."""

import json
from typing import Any

import httpx
import pytest

from support.gateway import ROW, TOKEN, Gateway
from tiltyard.spool import encode_id

pytestmark = pytest.mark.slow

FAR_AHEAD = "2999-01-01T00:00:00Z"
TOO_EARLY = "0001-01-01T00:00:00+14:00"
INTEGER = "expected an integer, got"
TIME = "a time like 2024-05-01T12:00:00Z"
NOT_OURS = "is not the id of a prediction of this model; send an id as predict answered it"


def post(gateway: Gateway, body: bytes | str, model: str = "pass", verb: str = "predict") -> Any:
    """Send a body as it is."""
    content = body.encode() if isinstance(body, str) else body
    headers = {"authorization": f"Bearer {TOKEN}"}
    url = f"{gateway.url}/models/{model}/{verb}"
    return httpx.post(url, content=content, headers=headers, timeout=30)


def text(*changes: tuple[str, str]) -> str:
    """Return a body of one good row in which these JSON values are put."""
    row = {key: json.dumps(value) for key, value in ROW.items()} | dict(changes)
    return '{"rows":[{' + ",".join(f'"{k}":{v}' for k, v in row.items()) + "}]}"


@pytest.mark.parametrize(
    ("column", "value", "reason", "sentence"),
    [
        ("hour", "null", "null", "expected an integer, got null"),
        ("hour", "1.0", "wrong_type", f"{INTEGER} a number with a decimal point; send 1, not 1.0"),
        ("hour", '"7"', "wrong_type", "expected an integer, got text"),
        ("hour", "true", "wrong_type", "expected an integer, got a boolean"),
        ("hour", str(2**70), "out_of_range", "does not fit into 64 bits"),
        ("hour", str(-(2**63) - 1), "out_of_range", "does not fit into 64 bits"),
        ("hour", "[7]", "wrong_type", "expected an integer, got a list"),
        ("temperature", '"12"', "wrong_type", "expected a number, got text"),
        ("temperature", "false", "wrong_type", "expected a number, got a boolean"),
        ("temperature", "null", "null", "expected a number, got null"),
        ("temperature", "1e400", "out_of_range", "is too large for a number of 64 bits"),
        ("holiday", "1", "wrong_type", "expected true or false, got an integer"),
        ("weather", "3", "wrong_type", "expected text, got an integer"),
        ("at", '"2012-03-04T05:06:07"', "naive_time", f"has no offset; send {TIME}"),
        ("at", '"yesterday"', "wrong_type", f"expected {TIME}"),
        ("at", "1330823167", "wrong_type", f"expected {TIME} or null, got an integer"),
        ("at", f'"{FAR_AHEAD}"', "event_time", "is more than a day ahead of now"),
        ("at", f'"{TOO_EARLY}"', "out_of_range", "the year must be from 2 to 9998"),
        ("day", '"2012-02-30"', "wrong_type", "expected a date like 2024-05-01"),
        ("wind", "3", "unknown_column", f"is unknown to 'pass', which knows {', '.join(ROW)}"),
    ],
)
def test_a_wrong_value_is_named(
    shared: Gateway, column: str, value: str, reason: str, sentence: str
) -> None:
    """422 with row, field, what was expected and what was sent."""
    answer = post(shared, text((column, value)))
    error = answer.json()["error"]
    assert (answer.status_code, error["message"]) == (422, f"rows[0].{column}: {sentence}")
    assert (error["code"], error["details"]["reason"]) == ("invalid_input", reason)
    assert (error["details"]["row"], error["details"]["column"]) == (0, column)


def test_a_missing_column_is_named_in_its_row(shared: Gateway) -> None:
    """The row's index counts from 0."""
    bad = {key: value for key, value in ROW.items() if key != "temperature"}
    error = shared.predict("pass", ROW, ROW, bad).json()["error"]
    assert error["message"] == "rows[2].temperature: is missing, and needed"
    assert error["details"]["reason"] == "missing_column"


def test_an_unknown_level_by_policy(shared: Gateway) -> None:
    """Refuse names the known levels, missing and pass answer; all record what was sent."""
    snow = {**ROW, "weather": "snow"}
    refused = shared.predict("refuse", snow)
    assert refused.status_code == 422
    message = refused.json()["error"]["message"]
    assert message.startswith("rows[0].weather: 'snow' is no known level; known: ")
    assert all(level in message for level in ("clear", "cloudy", "rain"))
    assert refused.json()["error"]["details"]["reason"] == "unknown_level"
    for model in ("missing", "pass"):
        answer = shared.predict(model, snow)
        assert answer.status_code == 200, answer.text
        assert shared.records()[-1].row["weather"] == "snow"  # type: ignore[union-attr]  # a prediction


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (text(("temperature", "NaN")), "The body is not JSON: NaN and Infinity are not JSON"),
        (text(("temperature", "Infinity")), "The body is not JSON: NaN and Infinity are not JSON"),
        (text(("temperature", "-Infinity")), "The body is not JSON: NaN and Infinity are not JSON"),
        ("", "The body is not JSON: Input data was truncated."),
        ("rows=1", "The body is not JSON: invalid character (byte 0)."),
        (text() + "x", "The body is not JSON: trailing characters"),
        (b'{"rows":[{"note":"\xff"}]}', "The body is not JSON: it is not UTF-8."),
        ('{"rows":[{"note":"\\ud800"}]}', "The body is not JSON: Input data was truncated."),
        ("[]", 'The body must be {"rows": [{…}, …]}.'),
        ("null", 'The body must be {"rows": [{…}, …]}.'),
        ("{}", 'The body must be {"rows": [{…}, …]}.'),
        ('{"instances":[]}', 'The body must be {"rows": [{…}, …]}.'),
        ('{"rows":{}}', 'The body must be {"rows": [{…}, …]}.'),
        ('{"rows":[]}', "rows: is empty, send at least one"),
        ('{"rows":[3]}', "rows[0]: expected an object"),
        ("[" * 100_000, "The body"),
        ('{"rows":[{"hour":' + "[" * 100_000, "rows[0].hour: expected an integer, got a list"),
    ],
)
def test_a_body_that_is_no_call_is_told(shared: Gateway, body: bytes | str, sentence: str) -> None:
    """422 that says what a body looks like, or where it stops to be JSON."""
    answer = post(shared, body)
    assert answer.status_code == 422
    assert answer.json()["error"]["message"].startswith(sentence)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (text().replace('"hour":7', '"hour":7,"hour":8'), "rows[0].hour"),
        (text().replace('"hour":7', '"hour" :7,\n"hour"\t: 8'), "rows[0].hour"),
        (text().replace('"hour":7', '"hour":7,"\\u0068our":8'), "rows[0].hour"),
        (text().replace('"note":', '"note":"x:y","note":'), "rows[0].note"),
        (text()[:-1] + "," + text()[1:], "rows"),
    ],
)
def test_a_key_given_twice_is_refused(shared: Gateway, body: str, place: str) -> None:
    """Decoders would take the last one without a word."""
    answer = post(shared, body)
    assert answer.status_code == 422
    assert answer.json()["error"]["message"] == f"{place}: is given twice"
    assert answer.json()["error"]["details"]["reason"] == "duplicate_key"


def test_colons_in_texts_are_no_keys(shared: Gateway) -> None:
    """Whatever stands in a text, it is taken as it is."""
    for note in ('": ', '\\":1', 'a" :b', '{"hour":7}', "\\", '\\\\"', "\n:\t:", "ü:é"):
        answer = shared.predict("pass", {**ROW, "note": note})
        assert answer.status_code == 200, answer.text
        assert shared.records()[-1].row["note"] == note  # type: ignore[union-attr]  # a prediction


def test_too_many_rows_are_413(shared: Gateway) -> None:
    """100,000 rows, though their bytes would be allowed."""
    answer = post(shared, '{"rows":[' + ",".join(["{}"] * 100_000) + "]}")
    assert answer.status_code in {413, 422}
    small = {"f0": 1, "f1": 2}
    body = json.dumps({"rows": [small] * 100_000})
    answer = post(shared, body, "classes")
    assert answer.status_code == 413
    assert "more than 10000 in one call" in answer.json()["error"]["message"]


def test_a_body_of_50_mb_is_413(shared: Gateway) -> None:
    """It is refused by its length, before it is read."""
    answer = post(shared, b" " * 50_000_000)
    assert answer.status_code == 413
    assert "larger than 8000000 bytes" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"id": "nonsense"}, f"id: {NOT_OURS}"),
        ({"value": None}, "value: expected a number, got null"),
        ({"value": "1"}, "value: expected a number, got text"),
        ({"value": True}, "value: expected a number, got a boolean"),
        ({"known_at": "2012-01-01T00:00:00"}, f"known_at: has no offset; send {TIME}"),
        (
            {"known_at": FAR_AHEAD},
            "known_at: is more than a day ahead of now, or no possible year",
        ),
        ({"why": 2}, "why: is unknown to 'pass', which knows id, value, known_at"),
    ],
)
def test_a_wrong_actual_is_named(shared: Gateway, change: dict[str, Any], sentence: str) -> None:
    """422 with the item and the field."""
    good = {"id": shared.predict("pass", ROW).json()["predictions"][0]["id"], "value": 1}
    answer = shared.post("pass", "actuals", {"actuals": [good, {**good, **change}]})
    assert answer.status_code == 422
    assert answer.json()["error"]["message"] == f"actuals[1].{sentence}"


def test_an_actual_without_id_is_named(shared: Gateway) -> None:
    """As a row without a needed column is."""
    answer = shared.post("pass", "actuals", {"actuals": [{"value": 1}]})
    assert answer.json()["error"]["message"] == "actuals[0].id: is missing, and needed"


def test_an_id_of_another_model_or_forged_is_refused(shared: Gateway) -> None:
    """Nothing of the call is recorded."""
    good = shared.predict("pass", ROW).json()["predictions"][0]["id"]
    other = shared.predict("missing", ROW).json()["predictions"][0]["id"]
    forged = encode_id(b"guess", 1, 1, 2**40)
    count = len(shared.records())
    for wrong in (other, forged, good[:-1] + ("A" if good[-1] != "A" else "B")):
        actuals = [{"id": good, "value": 1}, {"id": wrong, "value": 1}]
        answer = shared.post("pass", "actuals", {"actuals": actuals})
        assert answer.status_code == 422
        error = answer.json()["error"]
        assert error["message"].startswith("actuals[1].id: is not the id of a prediction")
        assert error["details"]["reason"] == "forged_id"
    assert len(shared.records()) == count


def test_a_compressed_body_is_415(shared: Gateway) -> None:
    """Nobody wonders why JSON is no JSON."""
    headers = {"authorization": f"Bearer {TOKEN}", "content-encoding": "gzip"}
    answer = httpx.post(f"{shared.url}/models/pass/predict", content=b"xx", headers=headers)
    assert answer.status_code == 415
    assert "uncompressed" in answer.json()["error"]["message"]
