"""Errors come back over HTTP as what they were."""

import json
from collections.abc import Iterator

import httpx
import pytest

import tiltyard.errors as all_errors
from tiltyard.client.errors import error_from
from tiltyard.errors import ControlAwayError, LostRaceError, NotFoundError, TiltyardError

KINDS = [
    kind
    for kind in vars(all_errors).values()
    if isinstance(kind, type) and issubclass(kind, TiltyardError)
]


def response(status: int, body: object) -> httpx.Response:
    """Return an answer as a client has it."""
    return httpx.Response(status, text=body if isinstance(body, str) else json.dumps(body))


def raised() -> Iterator[TiltyardError]:
    """Return an error of each kind with a plain constructor, and two others."""
    yield LostRaceError("bikes", 1, 2)
    yield NotFoundError("model", "cars", ["bikes"])
    yield from (k("A sentence.", x=1) for k in KINDS if k.__init__ is TiltyardError.__init__)


@pytest.mark.parametrize("error", list(raised()), ids=lambda e: type(e).__name__)
def test_an_error_is_rebuilt_as_its_class(error: TiltyardError) -> None:
    """Class, sentence and details are those that were raised on the other side."""
    back = error_from(response(error.status, error.body()), "http://control")
    assert type(back) is type(error)
    assert str(back) == back.message == error.message
    assert back.body() == error.body()


def test_every_code_belongs_to_one_class() -> None:
    """Otherwise a code could not be turned back."""
    codes = [kind.code for kind in KINDS]
    assert sorted(set(codes)) == sorted(codes)


def test_a_code_of_a_newer_control_falls_back_to_its_status() -> None:
    """An unknown code is caught as the class of its status."""
    body = {"error": {"code": "newer", "message": "No such thing."}}
    assert isinstance(error_from(response(404, body), "u"), NotFoundError)


@pytest.mark.parametrize("body", ["<html>502</html>", "[]", '{"error": "text"}', '{"error": {}}'])
def test_a_proxy_without_control_behind_it_means_away(body: str) -> None:
    """502, 503 and 504 without the shape are no words of control."""
    assert isinstance(error_from(response(502, body), "http://c"), ControlAwayError)


def test_another_server_is_told_as_such() -> None:
    """An answer without the shape asks whether the URL is right."""
    error = error_from(response(404, "<html>nothing here</html>"), "http://c")
    assert "is it control's URL" in error.message
    assert error.details == {"status": 404}
