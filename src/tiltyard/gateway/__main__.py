"""``python -m tiltyard.gateway``: serve until SIGTERM or Ctrl-C."""

import contextlib
import logging
import socket
import sys

from tiltyard.containers.listening import listen
from tiltyard.errors import TiltyardError
from tiltyard.gateway.service import Service
from tiltyard.gateway.serving import BACKLOG, serve
from tiltyard.settings import Settings, load_settings

logger = logging.getLogger(__name__)


def main() -> int:
    """Serve; return the exit code."""
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
    url = settings.client.gateway_url or f"http://{host}:{port}"
    serve(Service(settings, url), listeners)
    return 0


if __name__ == "__main__":
    sys.exit(main())
