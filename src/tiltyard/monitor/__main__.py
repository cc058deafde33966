"""The Monitor's server as a child of `tiltyard up`: ``python -m tiltyard.monitor``."""

import os

from tiltyard.errors import TiltyardError
from tiltyard.settings import load_settings


def main() -> None:
    """Serve the page until SIGTERM."""
    from tiltyard.monitor.server import make_server  # noqa: PLC0415  the kernel needs no server

    os.umask(0o077)
    try:
        server = make_server(load_settings())
    except TiltyardError as error:
        raise SystemExit(error.message) from None
    server.start()


if __name__ == "__main__":
    main()
