"""``python -m tiltyard.control``: serves control until SIGTERM or Ctrl-C."""

import contextlib
import logging
import socket
import sys

import uvicorn
from fastapi import FastAPI

from tiltyard.containers.listening import listen
from tiltyard.control.app import create_app
from tiltyard.errors import TiltyardError
from tiltyard.settings import Settings, load_settings

logger = logging.getLogger("tiltyard.control")

GRACE_S = 2
"""How long calls under way may go on after SIGTERM."""

BACKLOG = 2048


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
    # One line for each look at its own deployments says nothing.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        return _serve(load_settings())
    except TiltyardError as error:
        logger.error("%s", error)  # noqa: TRY400  the sentence says it all
        return error.exit_code


def _serve(settings: Settings) -> int:
    app = create_app(settings)
    app.state.parts.registry.deployments.move(settings.runtime)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = ControlServer(config, app)
    own = settings.control
    listeners = listen(settings.listen_hosts(own.host), own.port, name="control", backlog=BACKLOG)
    with contextlib.ExitStack() as stack:
        for listener in map(stack.enter_context, listeners):
            logger.info("control listens on http://%s:%d", *listener.getsockname()[:2])
        app.state.parts.scorers.start()
        server.run(sockets=listeners)
    return 0 if server.started else 3


if __name__ == "__main__":
    sys.exit(main())
