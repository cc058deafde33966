"""Every error has the one shape."""

import errno
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from support.control import Control
from tiltyard.control import errors

FAMILIES: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("GET", "/nothing/here", {}, 404, "no_such_path"),
    ("DELETE", "/models", {}, 405, "method_not_allowed"),
    ("GET", "/models/cars", {}, 404, "not_found"),
    ("PUT", "/models/bikes", {"content": b"{"}, 422, "invalid_input"),
    ("PUT", "/models/bikes", {"json": []}, 422, "invalid_input"),
    ("PUT", "/models/Bad%20Name", {"json": {}}, 422, "invalid_input"),
    ("PATCH", "/models/cars", {"json": {}}, 404, "not_found"),
    ("GET", "/models/cars/history", {}, 404, "not_found"),
    ("GET", "/models/cars/history/rows", {}, 404, "not_found"),
    ("GET", "/models/cars/training-frame?start=x", {}, 422, "invalid_input"),
    ("POST", "/models/cars/versions", {}, 404, "not_found"),
    ("GET", "/models/cars/versions/one", {}, 422, "invalid_input"),
    ("GET", "/models/cars/versions/1", {}, 404, "not_found"),
    ("GET", "/models/cars/versions/1/folder", {}, 404, "not_found"),
    ("POST", "/models/cars/versions/1/deploy", {"json": {"replicas": 0}}, 422, "invalid_input"),
    ("POST", "/models/cars/versions/1/deploy", {"json": {}}, 404, "not_found"),
    ("PATCH", "/deployments/x", {"json": {"state": "failed"}}, 404, "not_found"),
    ("POST", "/models/cars/promote", {"json": {"version": 1}}, 422, "invalid_input"),
    ("GET", "/models/cars/ledger", {}, 404, "not_found"),
    ("GET", "/models/cars/metrics?source=moon", {}, 422, "invalid_input"),
    ("GET", "/models/cars/check", {}, 404, "not_found"),
    ("GET", "/runs/x", {}, 404, "not_found"),
    ("GET", "/runs?limit=0", {}, 422, "invalid_input"),
    ("POST", "/runs/claim", {"json": {}}, 422, "invalid_input"),
    ("GET", "/runs/by-key/x", {}, 404, "not_found"),
    ("POST", "/tokens", {"json": {"name": "a", "models": []}}, 422, "invalid_input"),
    ("POST", "/tokens", {"json": {"name": "a", "models": ["cars"]}}, 404, "not_found"),
    ("DELETE", "/tokens/x", {}, 404, "not_found"),
    ("DELETE", "/gateways/x", {}, 404, "not_found"),
    ("GET", "/routes?wait_s=-1", {}, 422, "invalid_input"),
    ("GET", "/events?after=x", {}, 422, "invalid_input"),
]


@pytest.mark.parametrize(("method", "path", "request_", "status", "code"), FAMILIES)
def test_each_family_answers_in_the_one_shape(
    shared: Control, method: str, path: str, request_: dict[str, Any], status: int, code: str
) -> None:
    """Code, a sentence, details; nothing of the machine."""
    answer = shared.call(method, path, "operator", **request_)
    assert answer.status_code == status
    assert set(answer.json()) == {"error"}
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "details"}
    assert error["code"] == code
    assert error["message"].endswith(".")
    assert str(shared.parts.settings.home) not in answer.text


def test_what_is_wrong_is_listed_for_programs(shared: Control) -> None:
    """Each field with its problem."""
    answer = shared.call("POST", "/runs/claim", "operator", json={"runner": 1})
    wrong = answer.json()["error"]["details"]["errors"]
    assert [w["field"] for w in wrong] == ["body.runner", "body.lost_after_s"]


@pytest.fixture
async def failing() -> AsyncIterator[httpx.AsyncClient]:
    """An application whose calls fail in ways that no real one should."""
    app = FastAPI()
    errors.install(app)

    def secret() -> None:
        raise RuntimeError("the secret is 42")

    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/home/secret")

    def denied() -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "/home/secret")

    for call in (secret, full, denied):
        app.get(f"/{call.__name__}")(call)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://control") as client:
        yield client


async def test_the_unexpected_leaks_nothing(failing: httpx.AsyncClient) -> None:
    """A fault is a 500 that says where to look and nothing else."""
    for path in ("/secret", "/denied"):
        answer = await failing.get(path)
        assert answer.status_code == 500
        assert answer.json()["error"]["code"] == "internal"
        assert "secret" not in answer.text
        assert "control.log" in answer.text


async def test_a_full_disk_is_told_as_such(failing: httpx.AsyncClient) -> None:
    """It is a 503: it may be better later."""
    answer = await failing.get("/full")
    assert answer.status_code == 503
    assert "disk is full" in answer.json()["error"]["message"]


def test_a_body_beyond_the_limit_is_a_413(shared: Control) -> None:
    """By its declared length, and by its true one when none is declared."""
    big = b'{"name": "' + b"x" * 9_000_000 + b'"}'
    declared = shared.call("POST", "/tokens", content=big)
    streamed = shared.call("POST", "/tokens", content=iter([big[:5_000_000], big[5_000_000:]]))
    for answer in (declared, streamed):
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "too_large"


def test_an_upload_beyond_the_limit_is_a_413(small_control: Control, tmp_path: Path) -> None:
    """A history larger than control.max_upload_mb is cut off while it comes."""
    pieces = iter([bytes(600_000), bytes(600_000)])
    answer = small_control.call("PUT", "/models/bikes/history", content=pieces)
    assert answer.status_code == 413
    assert list(small_control.parts.scratch.iterdir()) == []
