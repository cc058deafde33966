"""Who checks logins, by the setting ``hub.authenticator``."""

from importlib import import_module
from typing import Any

from tiltyard.hub.login.base import USERNAME_PATTERN
from tiltyard.settings import Settings

_MODULES = {"firstuse": "passwords", "oidc": "provider", "ldap": "directory", "pam": "machine"}
"""Only one of them is imported, since each costs the hub's start."""


def configure_login(c: Any, settings: Settings) -> None:
    """Choose the authenticator and fill its configuration.

    Raises:
        InvalidInputError: a setting that it needs is missing.
    """
    c.Authenticator.username_pattern = USERNAME_PATTERN
    c.Authenticator.auth_refresh_age = settings.hub.refresh_s
    module = import_module(f"{__name__}.{_MODULES[settings.hub.authenticator]}")
    module.configure_login(c, settings)
