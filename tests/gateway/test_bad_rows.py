"""Rows that cannot be scored: the sentence names row and field, and nothing of the call is kept."""

import json
from typing import Any

import pytest

from support import wire
from support.gateway import Gateway
from support.typed import COLORS, WEIRD, row
from support.watch import Watch

pytestmark = pytest.mark.slow

MODEL = "typed"
PATH = f"/models/{MODEL}/predict"
KNOWN = f"flag, count, size, gap, {WEIRD}, color, shape, finish, at, seen, day, note"
TIME = "a time like 2024-05-01T12:00:00Z"
DATE = "a date like 2024-05-01"
BITS = "does not fit into 64 bits"
SHAPE = 'The body must be {"rows": [{…}, …]}.'


def post(gateway: Gateway, body: bytes | str) -> wire.Response:
    """Send a predict body as it is."""
    return wire.call(
        gateway.port, "POST", PATH, body=body.encode() if isinstance(body, str) else body
    )


def text(changes: dict[str, str], count: int = 3) -> str:
    """Return a body whose last row holds these JSON texts in place of values, before good rows."""
    good = json.dumps(row())
    values = {name: json.dumps(value) for name, value in row().items()} | changes
    bad = ",".join(f"{json.dumps(name)}:{value}" for name, value in values.items())
    return f'{{"rows":[{",".join([good] * (count - 1))},{{{bad}}}]}}'


def refusal(gateway: Gateway, body: bytes | str, reason: str, status: int = 422) -> dict[str, Any]:
    """Send what must be refused; return the error. Nothing is kept, and it is counted once."""
    with Watch(gateway) as watch:
        answer = post(gateway, body)
        assert post(gateway, text({})).status == 200  # the log goes on behind it
    assert answer.status == status, answer.body
    assert len(answer.body) < 2_000
    error: dict[str, Any] = answer.json()["error"]
    assert error["details"]["reason"] == reason
    assert [r.row["count"] for r in watch.kept] == [3, 3, 3]  # type: ignore[union-attr]  # predictions
    assert watch.refused(MODEL, reason) == 1
    assert (
        watch.grown()[f"tiltyard_gateway_calls_total model={MODEL} status={status} verb=predict"]
        == 1
    )
    return error


@pytest.mark.parametrize(
    ("column", "value", "reason", "sentence"),
    [
        ("speed", "1", "unknown_column", f"is unknown to 'typed', which knows {KNOWN}"),
        ("Size", "1", "unknown_column", f"is unknown to 'typed', which knows {KNOWN}"),
        ("size", "null", "null", "expected a number, got null"),
        ("size", '"1.5"', "wrong_type", "expected a number, got text"),
        ("size", "true", "wrong_type", "expected a number, got a boolean"),
        ("size", "[1]", "wrong_type", "expected a number, got a list"),
        ("size", "{}", "wrong_type", "expected a number, got an object"),
        ("size", "1e400", "out_of_range", "is too large for a number of 64 bits"),
        ("size", "-1e400", "out_of_range", "is too large for a number of 64 bits"),
        ("size", "1" + "0" * 400, "out_of_range", "is too large for a number of 64 bits"),
        ("gap", "false", "wrong_type", "expected a number or null, got a boolean"),
        ("count", "null", "null", "expected an integer, got null"),
        ("count", "true", "wrong_type", "expected an integer, got a boolean"),
        (
            "count",
            "1.0",
            "wrong_type",
            "expected an integer, got a number with a decimal point; send 1, not 1.0",
        ),
        ("count", str(2**63), "out_of_range", BITS),
        ("count", str(2**70), "out_of_range", BITS),
        ("count", str(-(2**63) - 1), "out_of_range", BITS),
        ("flag", "1", "wrong_type", "expected true or false, got an integer"),
        ("flag", '"true"', "wrong_type", "expected true or false, got text"),
        ("color", "1", "wrong_type", "expected text, got an integer"),
        ("color", "null", "null", "expected text, got null"),
        ("color", '"Red"', "unknown_level", "'Red' is no known level; known: red, blue"),
        ("color", '""', "unknown_level", "'' is no known level; known: red, blue"),
        ("note", "7", "wrong_type", "expected text or null, got an integer"),
        (WEIRD, '"1"', "wrong_type", "expected a number, got text"),
        (WEIRD, "null", "null", "expected a number, got null"),
        ("at", '"2024-05-01T12:00:00"', "naive_time", f"has no offset; send {TIME}"),
        ("at", '"2024-05-01"', "wrong_type", f"expected {TIME}"),
        ("at", '"2024-02-30T12:00:00Z"', "wrong_type", f"expected {TIME}"),
        ("at", '"2024-05-01T24:00:00Z"', "wrong_type", f"expected {TIME}"),
        ("at", "1714560000", "wrong_type", f"expected {TIME} or null, got an integer"),
        ("at", '"9998-01-01T00:00:00Z"', "event_time", "is more than a day ahead of now"),
        ("at", '"9999-12-31T23:59:59-10:00"', "out_of_range", "the year must be from 2 to 9998"),
        ("seen", '"0001-01-01T00:00:00+10:00"', "out_of_range", "the year must be from 2 to 9998"),
        ("day", '"2023-02-29"', "wrong_type", f"expected {DATE}"),
        ("day", '"2024-05-01T00:00:00Z"', "wrong_type", f"expected {DATE}"),
        ("day", '"01.05.2024"', "wrong_type", f"expected {DATE}"),
        ("day", "20240501", "wrong_type", f"expected {DATE} or null, got an integer"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(
    gateway: Gateway, column: str, value: str, reason: str, sentence: str
) -> None:
    """The good rows before it are not answered either: a call is taken whole or not at all."""
    error = refusal(gateway, text({column: value}), reason)
    assert error["message"] == f"rows[2].{column}: {sentence}"
    assert (error["details"]["row"], error["details"]["column"]) == (2, column)


@pytest.mark.parametrize("column", ["flag", "count", "size", WEIRD, "color", "finish"])
def test_a_missing_column_is_refused(gateway: Gateway, column: str) -> None:
    """Unless it may be null."""
    bad = {name: value for name, value in row().items() if name != column}
    error = refusal(gateway, json.dumps({"rows": [row(), bad]}), "missing_column")
    assert error["message"] == f"rows[1].{column}: is missing, and needed"


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("column", ["size", "count", WEIRD])
def test_what_is_no_json_number_is_named(gateway: Gateway, constant: str, column: str) -> None:
    """Python's and JavaScript's writers like to send them; a missing number is null."""
    error = refusal(gateway, text({column: constant}), "not_finite")
    assert f"NaN and Infinity are not JSON (rows[2].{column}); send null" in error["message"]
    assert (error["details"]["row"], error["details"]["column"]) == (2, column)


def test_a_constant_outside_of_rows_is_told_by_its_place(gateway: Gateway) -> None:
    """There is no row and no column to name."""
    assert "(byte " in refusal(gateway, '{"rows": [NaN]}', "not_finite")["message"]


@pytest.mark.parametrize(
    ("body", "reason", "sentence"),
    [
        ("", "not_json", "The body is not JSON: Input data was truncated."),
        ("{", "not_json", "The body is not JSON: Input data was truncated."),
        (text({"size": "+1"}), "not_json", "The body is not JSON: invalid character"),
        (text({"size": "01"}), "not_json", "The body is not JSON: invalid number"),
        (text({"size": "'1'"}), "not_json", "The body is not JSON: invalid character"),
        (text({})[:-1] + ",]}", "not_json", "The body is not JSON: "),
        (text({}) + "{}", "not_json", "The body is not JSON: trailing characters"),
        (b"\xef\xbb\xbf" + text({}).encode(), "not_json", "The body is not JSON: invalid char"),
        (text({}).encode("utf-16"), "not_json", "The body is not JSON: invalid character"),
        (text({"note": '"x"'}).encode().replace(b'"x"', b'"\xff"'), "not_json", "The body is not"),
        (text({"note": '"x"'}).encode().replace(b'"x"', b'"\xed\xa0\x80"'), "not_json", "The body"),
        (text({"note": '"\\ud800"'}), "not_json", "The body is not JSON: "),
        ('{"rows":[]}', "empty", "rows: is empty, send at least one"),
        ('{"rows":null}', "wrong_body", SHAPE),
        ('{"rows":{"size":1}}', "wrong_body", SHAPE),
        ('{"rows":"1"}', "wrong_body", SHAPE),
        ('{"instances":[{}]}', "wrong_body", SHAPE),
        (text({})[:-1] + ',"more":1}', "wrong_body", SHAPE),
        ("[" + text({}) + "]", "wrong_body", SHAPE),
        ('"rows"', "wrong_body", SHAPE),
        ('{"rows":[null]}', "wrong_type", "rows[0]: expected an object"),
        ('{"rows":[[1]]}', "wrong_type", "rows[0]: expected an object"),
        ("[" * 200_000, "wrong_body", SHAPE),
        ('{"rows":' * 100_000, "wrong_body", SHAPE),
        ('{"x":' + "[" * 1000 + "]" * 1000 + "}", "wrong_body", SHAPE),
        ('{"rows":[{"note":' + '{"a":' * 100_000, "wrong_type", "rows[0].note: expected text"),
    ],
)
def test_a_body_of_another_shape_is_refused(
    gateway: Gateway, body: bytes | str, reason: str, sentence: str
) -> None:
    """What is no JSON is told with its place, other JSON with the shape that is wanted."""
    assert refusal(gateway, body, reason)["message"].startswith(sentence)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (text({}).replace('"count":3', '"count":3,"count":4'), "rows[2].count"),
        (text({}).replace('"count":3', '"count":3,"\\u0063ount":3'), "rows[2].count"),
        (text({}).replace('"count":3', '"count":3,"\\u0063\\u006fun\\u0074" :3'), "rows[2].count"),
        (text({"note": '":"'}).replace('"count":3', '"count":3,"count"\t:3'), "rows[2].count"),
        (text({})[:-1] + "," + text({})[1:], "rows"),
        (text({})[:-1] + "," + text({})[1:].replace('"rows"', '"r\\u006fws"'), "rows"),
    ],
)
def test_a_key_given_twice_is_refused(gateway: Gateway, body: str, place: str) -> None:
    """However it is spelled: another program would take the first one where this takes the last."""
    assert refusal(gateway, body, "duplicate_key")["message"] == f"{place}: is given twice"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"color": json.dumps("x" * 5_000_000)}, f"rows[2].color: '{'x' * 99}… is no known level"),
        ({"y" * 5_000_000: "1"}, f"rows[2].{'y' * 100}…: is unknown to 'typed'"),
    ],
)
def test_a_long_text_is_not_sent_back(gateway: Gateway, changes: dict[str, str], told: str) -> None:
    """Its beginning tells enough."""
    reason = "unknown_level" if "color" in changes else "unknown_column"
    assert refusal(gateway, text(changes), reason)["message"].startswith(told)


def test_too_many_rows_are_413(gateway: Gateway) -> None:
    """It says how many there may be."""
    body = json.dumps({"rows": [row()] * 10_001})
    error = refusal(gateway, body, "too_many_rows", 413)
    assert error["message"] == "rows: more than 10000 in one call; split them over several calls"
    assert error["details"]["limit"] == 10_000


@pytest.mark.parametrize("size", [8_000_001, 50_000_000])
def test_too_many_bytes_are_413(gateway: Gateway, size: int) -> None:
    """Of 100,000 rows, for example; they are not gathered, and the connection ends with it."""
    with Watch(gateway) as watch:
        answer = post(gateway, text({}).ljust(size))
    assert (answer.status, answer.closes) == (413, True)
    assert "larger than 8000000 bytes: split its rows" in answer.json()["error"]["message"]
    assert watch.kept == []
    assert watch.refused(MODEL, "too_many_bytes") == 1


def test_as_many_rows_as_may_be_are_answered(gateway: Gateway) -> None:
    """10,000 rows, and 8,000,000 bytes."""
    body = json.dumps({"rows": [row()] * 10_000}).encode()
    with Watch(gateway) as watch:
        answer = post(gateway, body.ljust(8_000_000))
    assert answer.status == 200
    assert len(answer.json()["predictions"]) == len(watch.kept) == 10_000


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"count": str(2**63 - 1)}, {"count": 2**63 - 1}),
        ({"count": str(-(2**63))}, {"count": -(2**63)}),
        ({"size": "2"}, {"size": 2.0}),
        ({"size": str(2**70)}, {"size": 2.0**70}),
        ({"size": "1e-400"}, {"size": 0.0}),
        ({"size": "-0.0"}, {"size": -0.0}),
        ({"shape": '"oval"'}, {"shape": "oval"}),
        ({"finish": '"oiled"'}, {"finish": "oiled"}),
        ({"finish": '""'}, {"finish": ""}),
        ({"finish": json.dumps('\0\n"\\é🐎 : ":')}, {"finish": '\0\n"\\é🐎 : ":'}),
        ({"note": json.dumps("x" * 3_000_000)}, {"note": "x" * 3_000_000}),
        ({"gap": "null", "shape": "null"}, {"gap": None, "shape": None}),
        ({"day": '"2024-02-29"'}, {"day": "2024-02-29"}),
    ],
)
def test_what_is_unusual_but_right_is_answered(
    gateway: Gateway, changes: dict[str, str], kept: dict[str, Any]
) -> None:
    """The bounds of the types, levels that may be new, any text; the log holds what was sent."""
    with Watch(gateway) as watch:
        answer = post(gateway, text(changes))
    assert answer.status == 200, answer.body
    assert [p["value"] for p in answer.json()["predictions"]] == [r.value for r in watch.kept]
    last: Any = watch.kept[-1]
    assert {name: last.row[name] for name in kept} == kept
    assert last.row["color"] in COLORS


def test_an_event_a_little_ahead_is_answered(gateway: Gateway) -> None:
    """Clocks differ; a column that is not the event time may be of any year."""
    body = text({"seen": '"2999-01-01T00:00:00Z"', "at": '"2024-05-01 12:00:00.123456+02:00"'})
    with Watch(gateway) as watch:
        assert post(gateway, body).status == 200
    assert watch.kept[-1].event_time == 1_714_557_600_123_456  # type: ignore[union-attr]  # a prediction
    assert watch.kept[0].event_time is None  # type: ignore[union-attr]  # likewise
