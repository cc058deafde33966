"""``python -m tiltyard.gateway``: serve until SIGTERM or Ctrl-C."""

import contextlib
import logging
import signal
import socket
import sys
from typing import Any

import uvicorn

from tiltyard.containers.listening import listen
from tiltyard.errors import TiltyardError
from tiltyard.gateway.app import make_app
from tiltyard.gateway.protocol import GatewayProtocol
from tiltyard.gateway.service import Service
from tiltyard.settings import Settings, load_settings

logger = logging.getLogger(__name__)

DRAIN_S = 3
"""How long calls under way may take once the gateway is told to stop."""

BACKLOG = 2048


SWITCH_INTERVAL_S = 5e-5
"""How long the spool's thread waits for Python's lock while the loop works: less than a sync."""


def main() -> int:
    """Serve; return the exit code."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        settings = load_settings()
        own = settings.gateway
        hosts = settings.listen_hosts(own.host)
        listeners = listen(hosts, own.port, name="gateway", backlog=BACKLOG)
        with contextlib.ExitStack() as stack:
            for listener in listeners:
                stack.enter_context(listener)
            return _serve(settings, listeners)
    except TiltyardError as error:
        logger.error("%s", error)  # noqa: TRY400  the sentence says it all
        return error.exit_code


def _serve(settings: Settings, listeners: list[socket.socket]) -> int:
    host, port = listeners[0].getsockname()[:2]
    service = Service(settings, settings.client.gateway_url or f"http://{host}:{port}")

    def protocol(**arguments: Any) -> Any:
        return GatewayProtocol(service.shared, **arguments)

    config = uvicorn.Config(
        make_app(service),
        http=protocol,  # type: ignore[arg-type]  # a factory is as good as a class
        loop="uvloop",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_S,
        backlog=BACKLOG,
    )
    server = uvicorn.Server(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn raises it again after its clean end
    server.run(sockets=listeners)
    return 0


if __name__ == "__main__":
    sys.exit(main())
