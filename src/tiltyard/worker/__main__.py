"""``python -m tiltyard.worker``: runs until SIGTERM or SIGINT."""

import logging
import os
import signal
import sys

from tiltyard.client.connect import local_token
from tiltyard.client.control import ControlClient
from tiltyard.errors import TiltyardError
from tiltyard.settings import load_settings
from tiltyard.stores import open_store
from tiltyard.worker.app import Worker

log = logging.getLogger("tiltyard.worker")


def main() -> int:
    """Run the worker; return its exit code."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells of every request
    try:
        settings = load_settings()
        client = ControlClient(settings.control_url, local_token(settings, "worker"))
        worker = Worker(settings, open_store(settings.store_url), client)
    except TiltyardError as error:
        log.error("%s", error)  # noqa: TRY400  the sentence says it all
        return error.exit_code
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.end())
    if not worker.run():
        # A thread in a long call would be cut off while the interpreter is taken apart.
        os._exit(0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
