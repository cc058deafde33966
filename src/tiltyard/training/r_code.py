"""Values in R's language: parameters into a cell, and the defaults of a cell back."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from papermill.translators import Translator

from tiltyard.errors import InvalidInputError

INTEGER = 2**31
EXACT = 2**53

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPED = re.compile(r'[\\"\x00-\x1f\x7f]')


class RTranslator(Translator):  # type: ignore[misc]
    """papermill's translator, of which the stock one changes most values.

    Whole numbers are integers, or doubles beyond 2^31; lists of one kind are vectors, null in them
    is NA; doubles are written in base 16, to the bit, if their decimal digits are not few.
    """

    @classmethod
    def translate(cls, val: Any) -> str:
        """Return R's expression for a value.

        Raises:
            InvalidInputError: R has no such value.
        """
        if isinstance(val, date | datetime):
            return _time(val)
        if isinstance(val, Mapping):
            return _object(val)
        if isinstance(val, list | tuple):
            return _list(list(val))
        return _plain(val)

    @classmethod
    def comment(cls, cmt_str: str) -> str:
        """Return a comment."""
        return f"# {cmt_str}".strip()

    @classmethod
    def assign(cls, name: str, str_val: str) -> str:
        """Return an assignment."""
        return f"{name} <- {str_val}"


def _plain(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return _whole(value)
    if isinstance(value, float):
        return _double(value)
    return _text(str(value))


def _whole(value: int) -> str:
    if abs(value) < INTEGER:
        return f"{value}L"
    if abs(value) > EXACT:
        raise InvalidInputError(
            f"{value} is beyond 2^53, which R's numbers are too coarse for: give it as text."
        )
    return str(value)


def _double(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Inf" if value > 0 else "-Inf"
    # R reads decimals by its own arithmetic, which misses some doubles by a bit.
    return str(int(value)) if value.is_integer() and abs(value) < EXACT and value else value.hex()


def _text(text: str) -> str:
    if "\0" in text:
        raise InvalidInputError("A text for R cannot hold NUL.")
    escaped = _ESCAPED.sub(lambda found: _ESCAPES.get(found[0]) or f"\\u{ord(found[0]):04x}", text)
    return f'"{escaped}"'


def _time(value: date) -> str:
    if not isinstance(value, datetime):
        return f'as.Date("{value.isoformat()}")'
    if value.utcoffset() is None:
        raise InvalidInputError(f"{value} has no zone: give a time in UTC.")
    return f'.POSIXct({_double(value.astimezone(UTC).timestamp())}, "UTC")'


def _list(values: list[Any]) -> str:
    kinds = {_kind(value) for value in values} - {"none"}
    if kinds == {"integer", "double"}:
        kinds, values = {"double"}, [None if v is None else float(v) for v in values]
    if len(kinds) != 1 or kinds == {"other"}:
        return f"list({', '.join(RTranslator.translate(value) for value in values)})"
    return f"c({', '.join('NA' if v is None else RTranslator.translate(v) for v in values)})"


def _kind(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "logical"
    if isinstance(value, int):
        return "integer" if abs(value) < INTEGER else "double"
    names = ((float, "double"), (str, "text"), (datetime, "time"), (date, "date"))
    return next((name for kind, name in names if isinstance(value, kind)), "other")


def _object(value: Mapping[Any, Any]) -> str:
    values = ", ".join(RTranslator.translate(one) for one in value.values())
    names = ", ".join(_text(str(name)) for name in value)
    return f"setNames(list({values}), c({names}))" if value else "setNames(list(), character())"
