"""Turning a decoder's complaint into a sentence that names row and field."""

import json
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from tiltyard.errors import InvalidInputError, TooLargeError
from tiltyard.types.schema import Column

_PLACE = re.compile(r"^(?P<what>.*) - at `\$\.?(?P<place>.*)`$", re.DOTALL)
_FIELD = re.compile(r"^Object (?P<how>missing required|contains unknown) field `(?P<name>.*)`$")
_EXPECTED = re.compile(r"^Expected `(?P<wanted>[^`]*)`, got `(?P<got>[^`]*)`$")
_LENGTH = re.compile(r"^Expected `array` of length (?P<bound>[<>]=) (?P<number>\d+)$")
_BYTE = re.compile(r"\(byte (?P<byte>\d+)\)$")

_WORDS = {
    "float": "a number",
    "int": "an integer",
    "bool": "true or false",
    "str": "text",
    "null": "null",
    "object": "an object",
    "array": "a list",
    "date": "a date like 2024-05-01",
    "datetime": "a time like 2024-05-01T12:00:00Z",
}
_COMPLAINTS = {
    "Expected `datetime` with a timezone": (
        "has no offset; send a time like 2024-05-01T12:00:00Z",
        "naive_time",
    ),
    "Invalid RFC3339 encoded datetime": (f"expected {_WORDS['datetime']}", "wrong_type"),
    "Invalid RFC3339 encoded date": (f"expected {_WORDS['date']}", "wrong_type"),
    "Expected `int` <=": ("does not fit into 64 bits", "out_of_range"),
    "Expected `int` >=": ("does not fit into 64 bits", "out_of_range"),
    "Number out of range": ("is too large for a number of 64 bits", "out_of_range"),
}
_GOT = {**_WORDS, "float": "a number with a decimal point", "bool": "a boolean"}
_MANY = 30
_LONG = 100
"""Longer texts of a client are not sent back whole."""


class Explainer:
    """Explains errors of one model's calls.

    Args:
        model: its name.
        key: ``rows`` or ``actuals``.
        columns: what an item of the list may hold.
        shape: what the whole body should look like.
    """

    def __init__(self, model: str, key: str, columns: Sequence[Column], shape: str) -> None:
        self._model = model
        self._key = key
        self._columns = {column.name: column for column in columns}
        self._shape = shape

    def error(self, problem: Exception, body: bytes = b"") -> InvalidInputError | TooLargeError:
        """Return what to tell the client about a body that could not be decoded."""
        if not isinstance(problem, msgspec.ValidationError):
            return self._not_json(problem, body)
        found = _PLACE.match(str(problem))
        what, place = (found["what"], found["place"]) if found else (str(problem), "")
        return self._field(what, place) or self._list(what, place) or self._value(what, place)

    def _not_json(self, problem: Exception, body: bytes) -> InvalidInputError:
        text = str(problem).removeprefix("JSON is malformed: ")
        at = _BYTE.search(text)
        start = int(at["byte"]) if at else len(body)
        if any(word in body[max(start - 1, 0) : start + 8] for word in (b"NaN", b"Inf")):
            return self._not_finite(body, start)
        if isinstance(problem, UnicodeDecodeError):
            text = "it is not UTF-8"
        return InvalidInputError(f"The body is not JSON: {text}.", reason="not_json")

    def _not_finite(self, body: bytes, start: int) -> InvalidInputError:
        row, column = _constant(body, self._key)
        place = f"byte {start}" if row is None else f"{self._key}[{row}].{column}"
        return InvalidInputError(
            f"The body is not JSON: NaN and Infinity are not JSON ({place}); send null for a "
            "missing number.",
            reason="not_finite",
            row=row,
            column=column,
        )

    def _field(self, what: str, place: str) -> InvalidInputError | None:
        found = _FIELD.match(what)
        if found is None:
            return None
        name = found["name"]
        if not place:
            return InvalidInputError(f"The body must be {self._shape}.", reason="wrong_body")
        if found["how"] == "missing required":
            return self._refusal(place, name, "is missing, and needed", "missing_column")
        known = ", ".join(list(self._columns)[:_MANY])
        what = f"is unknown to {self._model!r}, which knows {known}"
        return self._refusal(place, name, what, "unknown_column")

    def _list(self, what: str, place: str) -> InvalidInputError | TooLargeError | None:
        found = _LENGTH.match(what)
        if found is None:
            return None
        if found["bound"] == ">=":
            return InvalidInputError(f"{place}: is empty, send at least one", reason="empty")
        return TooLargeError(
            f"{place}: more than {found['number']} in one call; split them over several calls",
            reason="too_many_rows",
            limit=int(found["number"]),
        )

    def _value(self, what: str, place: str) -> InvalidInputError:
        if not place or place == self._key:
            return InvalidInputError(f"The body must be {self._shape}.", reason="wrong_body")
        row, _, column = place.partition("].")
        if not column:
            return InvalidInputError(f"{place}: expected an object", reason="wrong_type")
        text, reason = self._sentence(what, column)
        return self._refusal(f"{row}]", column, text, reason)

    def _sentence(self, what: str, column: str) -> tuple[str, str]:
        if found := _EXPECTED.match(what):
            return _mismatch(found["wanted"].split(" | "), found["got"])
        if what.startswith("Invalid enum value"):
            return self._unknown_level(what.removeprefix("Invalid enum value "), column)
        known = next((told for start, told in _COMPLAINTS.items() if what.startswith(start)), None)
        return known or (what, "wrong_type")

    def _unknown_level(self, level: str, name: str) -> tuple[str, str]:
        column = self._columns.get(name)
        levels = (column.levels if column else None) or ()
        listing = ", ".join(levels[:_MANY]) + (" …" if len(levels) > _MANY else "")
        return f"{_short(level)} is no known level; known: {listing}", "unknown_level"

    def _refusal(self, place: str, column: str, text: str, reason: str) -> InvalidInputError:
        index = place.rpartition("[")[2].rstrip("]")
        row = int(index) if index.isdigit() else None
        column = _short(column)
        return InvalidInputError(f"{place}.{column}: {text}", reason=reason, row=row, column=column)


def _mismatch(wanted: list[str], got: str) -> tuple[str, str]:
    words = " or ".join(_WORDS.get(word, word) for word in wanted)
    text = f"expected {words}, got {_GOT.get(got, got)}"
    if got == "float" and "int" in wanted:
        text += "; send 1, not 1.0"
    return text, "null" if got == "null" else "wrong_type"


def _short(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"


def _constant(body: bytes, key: str) -> tuple[int | None, str | None]:
    """Return (row, column) of the first value that is NaN or Infinity, if that can be said."""
    found = object()
    try:
        document: Any = json.loads(
            body, parse_constant=lambda _: found, parse_int=str, parse_float=str
        )
        rows = [(i, list(row.items())) for i, row in enumerate(document[key])]
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return None, None
    return next(((i, _short(k)) for i, row in rows for k, v in row if v is found), (None, None))
