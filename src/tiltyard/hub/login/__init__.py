"""Who checks logins, by the setting ``hub.authenticator``."""

from importlib import import_module
from typing import Any

from tiltyard.settings import Settings

USERNAME_PATTERN = r"[a-z0-9][a-z0-9._@+-]{0,62}"
"""A user's name is a folder, too: nothing in it may leave the folder of users."""

_MODULES = {"firstuse": "passwords", "oidc": "provider", "ldap": "directory", "pam": "machine"}
"""Only one of them is imported, since each costs the hub's start."""


def configure_login(c: Any, settings: Settings) -> None:
    """Choose the authenticator and fill its configuration.

    Raises:
        InvalidInputError: a setting that it needs is missing.
    """
    c.Authenticator.username_pattern = USERNAME_PATTERN
    c.Authenticator.auth_refresh_age = settings.hub.refresh_s
    # Everybody whom the authenticator knows, and who has a role where the site gives roles:
    # both are checked by Tiltyard's own classes.
    c.Authenticator.allow_all = True
    module = import_module(f"{__name__}.{_MODULES[settings.hub.authenticator]}")
    module.configure_login(c, settings)
