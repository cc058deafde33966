"""Bounds what a request's body may hold, before anything reads it."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tiltyard.control.errors import response
from tiltyard.errors import TooLargeError

JSON_BYTES = 8_000_000


class BodyLimit:
    """ASGI middleware: a body beyond its limit is a 413.

    Args:
        app: the application.
        upload_bytes: the limit of histories and of versions' folders.
    """

    def __init__(self, app: ASGIApp, upload_bytes: int) -> None:
        self._app = app
        self._upload_bytes = upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._upload_bytes if _is_upload(scope) else JSON_BYTES
        if _declared(scope) > limit:
            await response(_too_large(limit))(scope, receive, send)
            return
        await self._app(scope, _counted(receive, limit), send)


def _is_upload(scope: Scope) -> bool:
    call = (scope["method"], scope["path"].rpartition("/")[2])
    return call in {("PUT", "history"), ("POST", "versions")}


def _declared(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


def _counted(receive: Receive, limit: int) -> Receive:
    seen = 0

    async def counting() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise _too_large(limit)
        return message

    return counting


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(
        f"The body is larger than {limit:,} bytes, the most that this call takes.", limit=limit
    )
