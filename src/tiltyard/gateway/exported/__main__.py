"""``python -m tiltyard.gateway.exported``: serve one version until SIGTERM or Ctrl-C.

Reads ``PORT`` (8080), ``TILTYARD_TOKEN`` or ``TILTYARD_TOKEN_FILE`` (none lets everybody call),
and the gateway's limits, such as ``TILTYARD_GATEWAY__MAX_ROWS``.
"""

import argparse
import contextlib
import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from tiltyard.errors import ConflictError, InvalidInputError, TiltyardError
from tiltyard.gateway.exported.front import ExportedFront
from tiltyard.gateway.exported.scorer import Scorer
from tiltyard.gateway.serving import BACKLOG, serve
from tiltyard.settings import load_settings
from tiltyard.types.routes import ModelRoute

logger = logging.getLogger("tiltyard.exported")

HOST = "0.0.0.0"  # noqa: S104  a container's own network
PORT = 8080
LAST_PORT = 65_535


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve; return the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    if options.check:
        check = ("-m", "tiltyard.scoring", "--folder", str(options.folder), "--check")
        os.execv(sys.executable, (sys.executable, *check))  # noqa: S606  Tiltyard's own program
    try:
        return _serve(options.folder, options.route)
    except TiltyardError as error:
        logger.error("%s", error)  # noqa: TRY400  the sentence says it all
        return error.exit_code


def _serve(folder: Path, path: Path) -> int:
    route, token, port = _route(path), _token(), _port()
    given_up: list[TiltyardError] = []

    def give_up(error: TiltyardError) -> None:
        given_up.append(error)
        signal.raise_signal(signal.SIGTERM)

    version = route.champion.version if route.champion else 0
    with _socket_folder() as sockets, contextlib.closing(_listen(port)) as listener:
        scorer = Scorer(folder, Path(sockets, "s.sock"), version)
        logger.info("%s version %d is served on port %d", route.name, version, port)
        if token is None:
            logger.warning("anybody who reaches it is answered: set TILTYARD_TOKEN to change that")
        serve(ExportedFront(load_settings(), route, scorer, token, give_up), [listener])
    for error in given_up:
        raise error
    return 0


def _route(path: Path) -> ModelRoute:
    try:
        return ModelRoute.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise InvalidInputError(
            f"{path} says no model ({type(error).__name__}): export the version again by "
            "`tiltyard package`."
        ) from None


def _token() -> str | None:
    """Return the token that callers must send; it leaves the environment.

    Raises:
        InvalidInputError: it is empty or cannot be read, so that nobody opens the door unawares.
    """
    text, path = os.environ.pop("TILTYARD_TOKEN", None), os.environ.get("TILTYARD_TOKEN_FILE")
    if path is not None:
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInputError(
                f"TILTYARD_TOKEN_FILE {path!r} cannot be read ({error}): mount it for user "
                f"{os.geteuid()}."
            ) from None
    if text is None:
        return None
    if not text.strip():
        raise InvalidInputError(
            "The token is empty: give one by TILTYARD_TOKEN, or leave that out to let anybody call."
        )
    return text.strip()


def _port() -> int:
    text = os.environ.get("PORT", str(PORT))
    if not text.isdecimal() or not 0 < int(text) <= LAST_PORT:
        raise InvalidInputError(f"PORT {text!r} is no port: give a number such as {PORT}.")
    return int(text)


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port), backlog=BACKLOG)
    except OSError as error:
        raise ConflictError(
            f"Port {port} cannot be listened on ({error.strerror}): set PORT to another."
        ) from None


def _socket_folder() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory()
    except OSError:
        raise InvalidInputError(
            "There is nowhere to put the scorer's socket: start the container with --tmpfs /tmp."
        ) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tiltyard.gateway.exported",
        description="Serve one version over HTTP. Exit 3: it is not what it should be.",
    )
    parser.add_argument("--folder", type=Path, default=Path("/version"), help="the version's")
    parser.add_argument("--route", type=Path, default=Path("/route.json"), help="of its model")
    parser.add_argument("--check", action="store_true", help="repeat the golden rows and end")
    return parser


if __name__ == "__main__":
    sys.exit(main())
