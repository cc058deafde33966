"""Serving a front: uvicorn around the gateway's protocol, the drain at the end."""

import signal
import socket
import sys
from typing import Any

import uvicorn

from tiltyard.gateway.app import make_app
from tiltyard.gateway.front import Front
from tiltyard.gateway.protocol import GatewayProtocol

DRAIN_S = 3
"""How long calls under way may take once the gateway is told to stop."""

BACKLOG = 2048

SWITCH_INTERVAL_S = 5e-5
"""How long the spool's thread waits for Python's lock while the loop works: less than a sync."""


def serve(front: Front, listeners: list[socket.socket]) -> None:
    """Answer calls until SIGTERM or Ctrl-C, then those that are under way."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)

    def protocol(**arguments: Any) -> Any:
        return GatewayProtocol(front.shared, **arguments)

    config = uvicorn.Config(
        make_app(front),
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
