"""Errors that only an HTTP server has."""

from http import HTTPStatus
from typing import Any

from tiltyard.errors import TiltyardError, TooLargeError


class BadRequestError(TiltyardError):
    """What arrived is not HTTP/1.1, or not safe to take for it."""

    status = HTTPStatus.BAD_REQUEST
    code = "bad_request"


class MethodNotAllowedError(TiltyardError):
    """The path exists, with another method."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    code = "method_not_allowed"

    def __init__(self, method: str, path: str, allowed: str) -> None:
        super().__init__(f"{path} does not take {method}: use {allowed}.", allowed=allowed)


class SlowClientError(TiltyardError):
    """A client took too long to send its request."""

    status = HTTPStatus.REQUEST_TIMEOUT
    code = "slow_client"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The request was not complete within {seconds:g} s: send it in one go.",
            seconds=seconds,
        )


class HeadTooLargeError(TiltyardError):
    """A request's target and headers are endless, or what is around its chunks."""

    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    code = "head_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"There are more than {limit} bytes around the body: send a shorter head, or larger "
            "chunks.",
            limit=limit,
        )


class UnsupportedEncodingError(TiltyardError):
    """The body is compressed."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported_encoding"

    def __init__(self, encoding: str) -> None:
        super().__init__(
            f"Content-Encoding {encoding!r} is not understood: send the body uncompressed.",
            encoding=encoding,
        )


class OipTooLargeError(TooLargeError):
    """A request is too large, said to clients that take an error for a text."""

    def body(self) -> dict[str, Any]:
        """Return the protocol's shape."""
        return {"error": self.message}


class KeepsNothingError(TiltyardError):
    """Actuals came to an exported image."""

    status = HTTPStatus.NOT_IMPLEMENTED
    code = "keeps_nothing"

    def __init__(self, model: str) -> None:
        super().__init__(
            f"This image answers predictions of {model!r} and keeps nothing, so it has no use for "
            "actuals: send them to a Tiltyard gateway.",
            reason="keeps_nothing",
        )
