"""Tiltyard's own passwords: bcrypt hashes that only an operator's command or their owner sets."""

import asyncio
import dbm
import secrets
from functools import cache
from pathlib import Path
from typing import Any

import bcrypt
from firstuseauthenticator import FirstUseAuthenticator
from tornado import web

from tiltyard.hub.login.base import TiltyardLogin
from tiltyard.settings import Settings

LONGEST_PASSWORD_BYTES = 72
"""bcrypt reads no further, and refuses what is longer."""
_LEAST_LETTERS = 4


class Passwords(TiltyardLogin, FirstUseAuthenticator):
    """FirstUseAuthenticator without the first use: a name without a password cannot log in."""

    async def authenticate(self, handler: Any, data: dict[str, str]) -> str | None:
        """Return the user's name if the password is right, else None."""
        name = self.normalize_username(data.get("username", ""))
        password = data.get("password", "").encode()
        stored = self._stored(name) if self._user_exists(name) else None
        right = await asyncio.to_thread(_matches, password, stored)
        return name if right else None

    async def set_password(self, name: str, password: str) -> None:
        """Store the hash of a password.

        Raises:
            HTTPError: 422 with a sentence when it is weak.
        """
        if problem := self.weakness(name, password):
            raise web.HTTPError(422, problem)
        self._store(name, await asyncio.to_thread(_hash, password.encode()))

    def weakness(self, name: str, password: str) -> str | None:
        """Return what is wrong with a password; None if nothing is."""
        if len(password) < self.min_password_length:
            return f"The password is too short: take at least {self.min_password_length} letters."
        if len(password.encode()) > LONGEST_PASSWORD_BYTES:
            return f"The password is too long: take at most {LONGEST_PASSWORD_BYTES} bytes."
        without_name = password.lower().replace(name, "")
        few = len(set(password)) < _LEAST_LETTERS
        if few or len(without_name) < self.min_password_length:
            return "The password is easily guessed: take another."
        return None

    def reset_password(self, username: str, new_password: str) -> str:
        """Set one's own password on the page for it; return what the page says."""
        if problem := self.weakness(username, new_password):
            return problem
        self._store(username, _hash(new_password.encode()))
        return "Your password has been changed with success."

    def _store(self, name: str, hashed: bytes) -> None:
        with dbm.open(self.dbm_path, "c", 0o600) as passwords:
            passwords[name.encode()] = hashed

    def _stored(self, name: str) -> bytes | None:
        with dbm.open(self.dbm_path, "c", 0o600) as passwords:
            return passwords.get(name.encode())


def configure_login(c: Any, settings: Settings) -> None:
    """Fill the configuration of Tiltyard's own passwords."""
    folder: Path = settings.path("hub")
    c.JupyterHub.authenticator_class = Passwords
    c.Authenticator.allow_all = True  # all who have a password were let in by an operator
    c.FirstUseAuthenticator.dbm_path = str(folder / "passwords.dbm")
    c.FirstUseAuthenticator.create_users = False
    c.FirstUseAuthenticator.check_passwords_on_startup = False  # names are normal from the start
    c.FirstUseAuthenticator.min_password_length = settings.hub.min_password_length


def _hash(password: bytes) -> bytes:
    return bcrypt.hashpw(password, bcrypt.gensalt())


def _matches(password: bytes, stored: bytes | None) -> bool:
    if len(password) > LONGEST_PASSWORD_BYTES:
        return False
    # An unknown name takes as long as a known one, so that nobody learns who there is.
    return bcrypt.checkpw(password, stored or _nobody()) and stored is not None


@cache
def _nobody() -> bytes:
    return _hash(secrets.token_hex(32).encode())
