"""The Monitor's server as a child of `tiltyard up`: ``python -m tiltyard.monitor``."""

import os
import sys

from tiltyard.errors import TiltyardError
from tiltyard.settings import load_settings


def main() -> None:
    """Serve the page until SIGTERM."""
    # None means: not installed. jsonschema would compile its grammar, a second's work, for a
    # format that no schema here has.
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    from tiltyard.monitor.server import make_server  # noqa: PLC0415  after the line above

    try:
        server = make_server(load_settings())
    except TiltyardError as error:
        raise SystemExit(error.message) from None
    os.umask(0o077)
    server.start()


if __name__ == "__main__":
    main()
