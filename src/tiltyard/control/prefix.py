"""The hub's proxy hands on whole paths: control answers below its prefix as without it."""

from starlette.types import ASGIApp, Receive, Scope, Send

from tiltyard.types.people import CONTROL_SERVICE

SERVICE_PREFIX = f"/services/{CONTROL_SERVICE}"


class WithoutPrefix:
    """ASGI middleware: takes the prefix of the hub's service off every path."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"].startswith(f"{SERVICE_PREFIX}/"):
            raw = scope.get("raw_path")
            scope = {
                **scope,
                "path": scope["path"].removeprefix(SERVICE_PREFIX),
                "raw_path": raw and raw.removeprefix(SERVICE_PREFIX.encode()),
            }
        await self._app(scope, receive, send)
