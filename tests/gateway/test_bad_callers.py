"""Callers without a right, and calls that nobody can answer: one shape of error for all."""

import json

import pytest

from support import typed, wire
from support.gateway import TOKEN, Gateway
from support.watch import Watch

pytestmark = pytest.mark.slow

GOOD = json.dumps({"rows": [typed.row()]}).encode()
BEARER = f"Bearer {TOKEN}"


def call(
    gateway: Gateway,
    path: str,
    method: str = "POST",
    authorization: str | None = BEARER,
    body: bytes = GOOD,
) -> wire.Response:
    """Send a request that is refused; the answer must be in the one shape."""
    headers = [("Authorization", authorization)] if authorization is not None else []
    answer = wire.call(gateway.port, method, path, headers, body, token=None)
    assert answer.headers["content-type"] == "application/json"
    if method != "HEAD":
        assert answer.json().keys() == {"error"}
        assert answer.json()["error"].keys() == {"code", "message", "details"}
    return answer


@pytest.mark.parametrize("verb", ["predict", "actuals"])
@pytest.mark.parametrize(
    ("authorization", "status", "sentence"),
    [
        (None, 401, "Send the application's token: Authorization: Bearer <token>."),
        ("", 401, "Send the application's token: Authorization: Bearer <token>."),
        ("Bearer", 401, "Send the application's token: Authorization: Bearer <token>."),
        (TOKEN, 401, "Send the application's token: Authorization: Bearer <token>."),
        (f"Basic {TOKEN}", 401, "Send the application's token: Authorization: Bearer <token>."),
        ("Bearer nobody", 401, "Nobody knows this token: ask an operator for one."),
        (f"{BEARER}x", 401, "Nobody knows this token: ask an operator for one."),
        (
            f"Bearer {typed.OTHERS_TOKEN}",
            403,
            "The token 'another' is not for model 'typed': ask for one that is.",
        ),
    ],
)
def test_without_a_right_there_is_no_answer(
    gateway: Gateway, verb: str, authorization: str | None, status: int, sentence: str
) -> None:
    """401 tells how to send a token, 403 names it; the body is not looked at, nothing is kept."""
    with Watch(gateway) as watch:
        answer = call(gateway, f"/models/typed/{verb}", "POST", authorization, b"{")
    assert (answer.status, answer.json()["error"]["message"]) == (status, sentence)
    assert (answer.headers.get("www-authenticate") == "Bearer") == (status == 401)
    assert watch.kept == []
    reason = "unauthenticated" if status == 401 else "forbidden"
    assert watch.refused("typed", reason) == 1


def test_a_token_is_for_its_models(gateway: Gateway) -> None:
    """The same token that is refused for one model is good for another; the scheme has no case."""
    for scheme in ("Bearer", "bearer", "BEARER"):
        headers = [("Authorization", f"{scheme} {typed.OTHERS_TOKEN}")]
        path = "/models/twin/predict"
        answer = wire.call(gateway.port, "POST", path, headers, GOOD, token=None)
        assert answer.status == 200, answer.body


@pytest.mark.parametrize(
    "name", ["nobody", "TYPED", "typed%20", "%2e%2e", "x" * 5_000, "gr%C3%B6%C3%9Fe"]
)
def test_an_unknown_model_is_404(gateway: Gateway, name: str) -> None:
    """Only for who has a token; it is counted without its name, for names are endless."""
    with Watch(gateway) as watch:
        answer = call(gateway, f"/models/{name}/predict")
        stranger = call(gateway, f"/models/{name}/predict", authorization=None)
    assert (answer.status, answer.json()["error"]["code"]) == (404, "not_found")
    assert answer.json()["error"]["message"].startswith("There is no model ")
    assert stranger.status == 401
    assert watch.refused("", "not_found") == 1


def test_without_a_champion_it_is_409(gateway: Gateway) -> None:
    """Actuals of such a model are taken all the same: its versions may have answered before."""
    with Watch(gateway) as watch:
        answer = call(gateway, "/models/idle/predict")
    assert answer.status == 409
    assert answer.json()["error"]["message"] == "'idle' has no champion: promote a version first."
    assert watch.refused("idle", "no_champion") == 1
    assert watch.kept == []


def test_without_a_scorer_it_is_503_and_says_when_to_come_again(gateway: Gateway) -> None:
    """At once, with Retry-After."""
    with Watch(gateway) as watch:
        answer = call(gateway, "/models/away/predict")
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["error"]["message"].startswith("No scorer of away version 1 answers now")
    assert watch.refused("away", "no_scorer") == 1
    assert watch.kept == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE"])
@pytest.mark.parametrize("verb", ["predict", "actuals"])
def test_another_method_is_405(gateway: Gateway, method: str, verb: str) -> None:
    """It names the method that is taken; HEAD's answer has no body."""
    answer = call(gateway, f"/models/typed/{verb}", method)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    if method == "HEAD":
        assert answer.body == b""
    else:
        message = answer.json()["error"]["message"]
        assert message == f"/models/typed/{verb} does not take {method}: use POST."


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz", "/models/typed/openapi.json"])
def test_what_is_read_cannot_be_posted(gateway: Gateway, path: str) -> None:
    """405 in the one shape on the routes of Starlette, too."""
    answer = call(gateway, path)
    assert answer.status == 405
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/models",
        "/models/typed",
        "/models/typed/",
        "/models/typed/predict/",
        "/models//predict",
        "/models/typed/predict/more",
        "/models/typed/retire",
        "/models/typed%2Fpredict",
        "//models/typed/predict",
        "/MODELS/typed/predict",
        "/models/typed/predict;v=1",
        "/models/typed/predict%00",
    ],
)
def test_another_path_is_404(gateway: Gateway, path: str) -> None:
    """In the one shape, naming the path; nothing is guessed, no redirect."""
    answer = call(gateway, path)
    assert (answer.status, answer.json()["error"]["code"]) == (404, "not_found")


def test_a_query_changes_nothing(gateway: Gateway) -> None:
    """Some clients add one; it is not part of the path."""
    answer = wire.call(gateway.port, "POST", "/models/typed/predict?x=1", body=GOOD)
    assert answer.status == 200
