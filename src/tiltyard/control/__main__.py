"""``python -m tiltyard.control``: serves control until SIGTERM or Ctrl-C."""

import errno
import logging
import socket
import sys

import uvicorn
from fastapi import FastAPI

from tiltyard.control.app import create_app
from tiltyard.errors import ConflictError, TiltyardError, UnavailableError
from tiltyard.settings import Settings, load_settings

logger = logging.getLogger("tiltyard.control")

GRACE_S = 2
"""How long calls under way may go on after SIGTERM."""


class ControlServer(uvicorn.Server):
    """Lets those go who wait for a change before it waits for calls to end."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End gracefully."""
        self._app.state.parts.changes.close()
        await super().shutdown(sockets)


def main() -> int:
    """Serve, and return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        return _serve(load_settings())
    except TiltyardError as error:
        logger.error("%s", error)  # noqa: TRY400  the sentence says it all
        return error.exit_code


def _serve(settings: Settings) -> int:
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = ControlServer(config, app)
    with listen(settings.control.host, settings.control.port) as listener:
        logger.info("control listens on http://%s:%d", *listener.getsockname()[:2])
        server.run(sockets=[listener])
    return 0 if server.started else 3


def listen(host: str, port: int) -> socket.socket:
    """Bind before anything else starts, so that an occupied port is told in a sentence.

    Raises:
        ConflictError: the port is in use.
        UnavailableError: the address cannot be bound.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConflictError(
                f"Port {port} of {host} is in use: end what listens there, or set control.port."
            ) from None
        raise UnavailableError(
            f"Control cannot listen on {host}:{port}: {error.strerror}."
        ) from None


if __name__ == "__main__":
    sys.exit(main())
