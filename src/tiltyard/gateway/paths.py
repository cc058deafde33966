"""Which paths are calls: the two verbs that the protocol answers itself."""

import re
from typing import NamedTuple
from urllib.parse import unquote

import httptools

_CALL = re.compile(r"/models/(?P<model>[^/]+)/(?P<verb>predict|actuals)")
_MANY = 1000


class Target(NamedTuple):
    """A verb of a model."""

    path: str
    model: str
    verb: str


class Paths:
    """Reads request targets; remembers what it read."""

    def __init__(self) -> None:
        self._known: dict[bytes, Target | None] = {}

    def target(self, url: bytes) -> Target | None:
        """Return what a request's target calls; None for anything else."""
        try:
            return self._known[url]
        except KeyError:
            if len(self._known) >= _MANY:
                self._known.clear()
            target = self._known[url] = _read(url)
            return target


def _read(url: bytes) -> Target | None:
    try:
        path = (httptools.parse_url(url).path or b"").decode("ascii")
    except (httptools.HttpParserInvalidURLError, UnicodeDecodeError):
        return None
    found = _CALL.fullmatch(path)
    return Target(unquote(path), unquote(found["model"]), found["verb"]) if found else None
