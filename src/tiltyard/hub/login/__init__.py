"""Who checks logins, by the setting ``hub.authenticator``."""

from collections.abc import Callable
from typing import Any

from tiltyard.hub.login.directory import configure_ldap
from tiltyard.hub.login.machine import configure_pam
from tiltyard.hub.login.passwords import configure_passwords
from tiltyard.hub.login.provider import configure_oidc
from tiltyard.settings import Settings

USERNAME_PATTERN = r"[a-z0-9][a-z0-9._@+-]{0,62}"
"""A user's name is a folder, too: nothing in it may leave the folder of users."""

_LOGINS: dict[str, Callable[[Any, Settings], None]] = {
    "firstuse": configure_passwords,
    "oidc": configure_oidc,
    "ldap": configure_ldap,
    "pam": configure_pam,
}


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
    _LOGINS[settings.hub.authenticator](c, settings)
