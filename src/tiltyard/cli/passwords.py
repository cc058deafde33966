"""Passwords that Tiltyard makes up, and the first user."""

import secrets

from tiltyard.client.hub import HubClient, connect_hub
from tiltyard.settings import Settings

_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
"""Without those that look alike."""
_BLOCKS = 4
_BLOCK_LETTERS = 5


def make_password() -> str:
    """Return a password of 100 random bits that can be read out and typed."""
    blocks = (
        "".join(secrets.choice(_LETTERS) for _ in range(_BLOCK_LETTERS)) for _ in range(_BLOCKS)
    )
    return "-".join(blocks)


def make_first_user(settings: Settings) -> tuple[str, str] | None:
    """Make the first operator when the hub has no user yet.

    Returns:
        Name and password, kept nowhere; None if there are users, or the site has them.
    """
    if settings.hub.authenticator != "firstuse":
        return None
    with connect_hub(settings) as hub:
        if hub.people():
            return None
        return settings.hub.first_user, _make(hub, settings)


def _make(hub: HubClient, settings: Settings) -> str:
    name, password = settings.hub.first_user, make_password()
    hub.add(name)
    try:
        hub.set_password(name, password)
        hub.join(name, [settings.hub.operators])
    except Exception:
        hub.remove(name)  # else the next start would not make it again
        raise
    return password
