"""Tickets: what the Monitor's server gives a page's kernel, so that it acts as its visitor.

``ticket.<base64url of {"user", "expires_at"}>.<base64url of its HMAC-SHA-256>``: whoever holds
the key can sign; control, which holds it too, verifies.
"""

import base64
import binascii
import hashlib
import hmac

import msgspec

from tiltyard.errors import UnauthenticatedError

PREFIX = "ticket."

KEY_FILE = "ticket-key"
"""Name of the key among the local tokens."""


class _Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    user: str
    expires_at: int


def sign(key: bytes, user: str, expires_at: int) -> str:
    """Return a ticket for a user.

    Args:
        key: of control and Monitor.
        user: name at the hub.
        expires_at: seconds since 1970 from which on it is no longer good.
    """
    claims = _encode(msgspec.json.encode(_Claims(user, expires_at)))
    return f"{PREFIX}{claims}.{_encode(_mac(key, claims))}"


def is_ticket(token: str) -> bool:
    """Return whether a token is meant to be a ticket."""
    return token.startswith(PREFIX)


def verify(key: bytes, ticket: str, now: float) -> str:
    """Return the user whose ticket it is.

    Args:
        key: of control and Monitor.
        ticket: what the caller sent.
        now: seconds since 1970.

    Raises:
        UnauthenticatedError: it is forged, damaged or too old.
    """
    claims, _, mac = ticket.removeprefix(PREFIX).partition(".")
    try:
        genuine = hmac.compare_digest(_decode(mac), _mac(key, claims))
        found = msgspec.json.decode(_decode(claims), type=_Claims) if genuine else None
    except (ValueError, binascii.Error, msgspec.DecodeError):
        found = None
    if found is None:
        raise UnauthenticatedError("This ticket is not genuine: open the page anew.")
    if now >= found.expires_at:
        raise UnauthenticatedError("This page has been open for too long: reload it.")
    return found.user


def _mac(key: bytes, claims: str) -> bytes:
    return hmac.digest(key, claims.encode(), hashlib.sha256)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
