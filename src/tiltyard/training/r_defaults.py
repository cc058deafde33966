"""What the parameters cell of an R notebook assigns, without R."""

import re
from collections.abc import Iterator
from typing import Any

UNKNOWN = object()
"""Stands for a default that is computed."""

_TOKEN = re.compile(
    r"""\s*(?:(?P<comment>\#[^\n]*)
    |(?P<number>(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)L?)
    |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<name>[A-Za-z.][\w.]*|`[^`]*`)
    |(?P<mark><-|=|[-+(),]))""",
    re.VERBOSE | re.DOTALL,
)
_ASSIGNED = re.compile(r"^[ \t]*([A-Za-z_]\w*)[ \t]*(?:<-|=)(?!=)[ \t]*", re.ASCII | re.MULTILINE)
_WORDS = {
    "TRUE": True,
    "FALSE": False,
    "NULL": None,
    "NA": None,
    "NA_character_": None,
    "NA_integer_": None,
    "NA_real_": None,
}
_ESCAPE = re.compile(r"\\(u\{?([0-9a-fA-F]{1,4})\}?|U\{?([0-9a-fA-F]{1,8})\}?|.)", re.DOTALL)
_PLAIN = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}


def assigned(source: str) -> dict[str, Any]:
    """Return name → default of each assignment that begins a line; `UNKNOWN` if it is computed.

    Numbers are doubles, with ``L`` integers; ``c(…)`` and ``list(…)`` are lists, with names dicts.
    """
    return {found[1]: _default(source[found.end() :]) for found in _ASSIGNED.finditer(source)}


class _NotPlainError(Exception):
    """It is no literal."""


def _default(text: str) -> Any:
    tokens = _Tokens(text)
    try:
        value = _value(tokens)
    except _NotPlainError:
        return UNKNOWN
    # What follows on the same line would go on computing.
    return value if tokens.at_end_of_line() else UNKNOWN


class _Tokens:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def next(self) -> tuple[str, str]:
        while found := _TOKEN.match(self._text, self._at):
            self._at = found.end()
            kind = str(found.lastgroup)
            if kind != "comment":
                return kind, found[kind]
        raise _NotPlainError

    def peek(self) -> tuple[str, str]:
        at = self._at
        try:
            return self.next()
        finally:
            self._at = at

    def at_end_of_line(self) -> bool:
        rest = self._text[self._at :].split("\n", maxsplit=1)[0].strip(" \t\r;")
        return not rest or rest.startswith("#")


def _value(tokens: _Tokens) -> Any:
    kind, word = tokens.next()
    if (kind, word) in {("mark", "-"), ("mark", "+")}:
        number = _value(tokens)
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise _NotPlainError
        return -number if word == "-" else number
    if kind == "number":
        return _number(word)
    if kind == "text":
        return _text(word[1:-1])
    if kind == "name" and word in {"c", "list"} and tokens.peek() == ("mark", "("):
        return _vector(tokens)
    if kind == "name" and word in _WORDS:
        return _WORDS[word]
    raise _NotPlainError


def _vector(tokens: _Tokens) -> Any:
    tokens.next()
    if tokens.peek() == ("mark", ")"):
        tokens.next()
        return []
    parts = list(_parts(tokens))
    names = [name for name, _ in parts]
    if all(names):
        return {str(name): value for name, value in parts}
    if any(names):
        raise _NotPlainError
    return [value for _, value in parts]


def _parts(tokens: _Tokens) -> Iterator[tuple[str | None, Any]]:
    while True:
        yield _name(tokens), _value(tokens)
        _, mark = tokens.next()
        if mark == ")":
            return
        if mark != ",":
            raise _NotPlainError


def _name(tokens: _Tokens) -> str | None:
    before = tokens._at  # noqa: SLF001  one of this module
    kind, word = tokens.next()
    if kind in {"name", "text"} and tokens.peek() == ("mark", "="):
        tokens.next()
        return word.strip("`\"'")
    tokens._at = before  # noqa: SLF001
    return None


def _number(word: str) -> int | float:
    digits = word.removesuffix("L")
    value = float(int(digits, 16)) if digits[:2].lower() == "0x" else float(digits)
    return int(value) if word.endswith("L") else value


def _text(word: str) -> str:
    def plain(found: "re.Match[str]") -> str:
        code = found[2] or found[3]
        return chr(int(code, 16)) if code else _PLAIN.get(found[1], found[1])

    return _ESCAPE.sub(plain, word)
