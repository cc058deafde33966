"""The home folder: its format, its lock, its registry and its local tokens."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tiltyard.errors import ConflictError
from tiltyard.settings import Settings

FORMAT = "1"
LOCAL_SCOPES = {
    "cli": ("operator", "promoter", "scientist", "viewer"),
    "gateway": ("gateway",),
    "worker": ("worker",),
    "runner": ("runner",),
}
"""Local tokens, and the scopes of each."""

HUB_TOKENS = ("hub-control", "hub-monitor", "hub-cli", "hub-crypt", "proxy", "ticket-key")
"""Local secrets of the hub: of its services, of its database, of its proxy, of tickets."""


def make_home(settings: Settings) -> Path:
    """Make the home folder, or see that this Tiltyard can read the one there is.

    Raises:
        ConflictError: it was written by another format, or cannot be written.
    """
    home = settings.path()
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = home / "format"
        if not path.exists():
            path.write_text(f"{FORMAT}\n")
        found = path.read_text().strip()
    except OSError as error:
        raise ConflictError(
            f"The home folder {home} cannot be used ({error.strerror}): make it writable, or "
            "choose another by TILTYARD_HOME."
        ) from None
    if found != FORMAT:
        raise ConflictError(
            f"The home folder {home} has format {found!r}, and this Tiltyard reads {FORMAT!r}: "
            "use the Tiltyard that wrote it, or choose another folder by TILTYARD_HOME."
        )
    return home


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Hold the folder for one `tiltyard up`; the lock ends with the process.

    Raises:
        ConflictError: another one holds it.
    """
    with (home / "up.lock").open("a+") as file:
        if not _lock(file):
            raise ConflictError(
                f"`tiltyard up` already runs on {home} (pid {_holder(file)}): stop it first "
                "(Ctrl-C), or choose another folder by TILTYARD_HOME.",
                pid=_holder(file),
            )
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def holder(home: Path) -> str | None:
    """Return the pid of the `tiltyard up` that works on a folder; None if none does."""
    try:
        with (home / "up.lock").open("r+") as file:
            return None if _lock(file) else _holder(file)
    except OSError:
        return None


def make_token(folder: Path, name: str) -> str:
    """Return the text of a local token, made when it is not there, readable by its user only."""
    folder.mkdir(exist_ok=True, mode=0o700)
    path = folder / name
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        token = secrets.token_urlsafe(32)
    temporary = folder / f".{name}.new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{token}\n")
        os.fsync(file.fileno())
    temporary.replace(path)
    return token


def make_hub_tokens(settings: Settings) -> None:
    """Make the local secrets of the hub that are not there yet."""
    for name in HUB_TOKENS:
        make_token(settings.path("tokens"), name)


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(file: IO[str]) -> str:
    file.seek(0)
    return file.read().strip() or "unknown"
