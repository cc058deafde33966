"""The one place where errors become HTTP: ``{"error": {"code", "message", "details"}}``."""

import errno
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from tiltyard.errors import TiltyardError, UnavailableError
from tiltyard.types.base import Document


class ErrorBody(Document):
    """What went wrong, for programs (``code``, ``details``) and for people (``message``)."""

    code: str
    message: str
    details: dict[str, Any] = {}


class ErrorDocument(Document):
    """The body of every answer that is no success."""

    error: ErrorBody


_CODES = {
    HTTPStatus.BAD_REQUEST: "bad_request",
    HTTPStatus.NOT_FOUND: "no_such_path",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
}


def install(app: FastAPI) -> None:
    """Let an application answer every error in the one shape."""
    app.add_exception_handler(TiltyardError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(OSError, _system)
    app.add_exception_handler(Exception, _unexpected)


def response(error: TiltyardError) -> JSONResponse:
    """Return the answer that an error becomes."""
    return _answer(error.status, error.code, error.message, error.details)


async def _known(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TiltyardError)  # noqa: S101  registered for it
    return response(error)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101  registered for it
    wrong = [
        {"field": ".".join(map(str, e["loc"])), "problem": e["msg"]}
        for e in jsonable_encoder(error.errors())
    ]
    sentence = "; ".join(f"{w['field']}: {w['problem']}" for w in wrong)
    return _answer(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid_input",
        f"The request cannot be used: {sentence}.",
        {"errors": wrong},
    )


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  registered for it
    if isinstance(error.__cause__, TiltyardError):  # raised while a body was being read
        return response(error.__cause__)
    status = HTTPStatus(error.status_code)
    sentence = error.detail if error.detail != status.phrase else status.description
    return _answer(status, _CODES.get(status, "http_error"), f"{sentence}.", {}, error.headers)


async def _system(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return response(UnavailableError("Control's disk is full: make room, then try again."))
    # Any other is a fault of control like every unexpected one: logged, and a 500.
    raise error


async def _unexpected(_: Request, __: Exception) -> JSONResponse:
    # The server logs the exception with its trace after this answer.
    return _answer(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "internal",
        "Control failed unexpectedly; its log (logs/control.log) says why.",
        {},
    )


def _answer(
    status: int, code: str, message: str, details: Any, headers: Any = None
) -> JSONResponse:
    body = {"error": {"code": code, "message": message, "details": jsonable_encoder(details)}}
    return JSONResponse(body, status, headers)
