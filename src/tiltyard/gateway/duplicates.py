"""Finding a key that is given twice: decoders silently take the last one.

The body has been decoded already and holds nothing but known keys, so the number of distinct
keys is known, and there is a duplicate exactly when more keys than that are in the text. A key
is followed by a colon, and colons are quick to count: their number is an upper bound of the
keys. Only when colons may be in strings as well (times, texts) is it looked at more closely.
"""

import json
import re
from typing import Any

from tiltyard.errors import InvalidInputError

_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*+"\s*+(:?)', re.DOTALL)
_SPACED = (b" :", b"\n:", b"\r:", b"\t:")


def refuse_duplicates(body: bytes, distinct: int, items: str) -> None:
    """Raise InvalidInputError, naming the key, if the JSON text holds more keys than distinct.

    Args:
        body: JSON text that has been decoded without an error.
        distinct: number of different keys of all its objects together.
        items: the key of its list.
    """
    if body.count(b":") == distinct or _at_most(body) == distinct:
        return
    if _STRINGS.findall(body).count(b":") != distinct:
        raise _named(body, items)


def _at_most(body: bytes) -> int:
    """Count what looks like the end of a key, in strings as well."""
    return body.count(b'":') + sum(map(body.count, _SPACED))


class _FoundError(Exception):
    def __init__(self, place: str) -> None:
        self.place = place


def _named(body: bytes, items: str) -> InvalidInputError:
    place = "the body"
    try:
        json.loads(body, object_pairs_hook=_Watch(items), parse_int=str, parse_float=str)
    except _FoundError as found:
        place = found.place
    return InvalidInputError(f"{place}: is given twice", reason="duplicate_key")


class _Watch:
    """Called with each object's pairs: the list's objects in order, then the outer one."""

    def __init__(self, items: str) -> None:
        self._items = items
        self._objects = 0

    def __call__(self, pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                outer = key == self._items and all(k == key for k, _ in pairs)
                raise _FoundError(key if outer else f"{self._items}[{self._objects}].{key}")
            seen.add(key)
        self._objects += 1
