"""Turns control's error shape back into the error it was."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import httpx

from tiltyard.errors import ControlAwayError, TiltyardError

_AWAY = {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}


def error_from(response: httpx.Response, url: str) -> TiltyardError:
    """Return the error that a response (already read) tells of.

    An answer without the error shape comes from something else than control, such as a proxy.
    """
    told = _told(response)
    if told is None:
        if response.status_code in _AWAY:
            return ControlAwayError(url, f"something answered {response.status_code} for it")
        return TiltyardError(
            f"{url} answered {response.status_code} without saying why: is it control's URL?",
            status=response.status_code,
        )
    kind = _kind(told["code"], response.status_code)
    # Subclasses write their sentence from values; here the sentence is there already.
    error = kind.__new__(kind)
    TiltyardError.__init__(error, told["message"])
    error.details = told.get("details") or {}
    return error


def _told(response: httpx.Response) -> dict[str, Any] | None:
    try:
        told = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        return None
    known = isinstance(told, dict) and {"code", "message"} <= told.keys()
    return told if known else None


def _kind(code: str, status: int) -> type[TiltyardError]:
    kinds: list[type[TiltyardError]] = [TiltyardError, *_below(TiltyardError)]
    by_code = (kind for kind in kinds if kind.code == code)
    by_status = (kind for kind in kinds if kind.status == status)
    return next(by_code, None) or next(by_status, TiltyardError)


def _below(kind: type[TiltyardError]) -> Iterator[type[TiltyardError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)
