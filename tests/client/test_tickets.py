"""Tickets, as the Monitor signs them and control verifies them."""

import base64
import json

import pytest

from tiltyard.client.tickets import is_ticket, sign, verify
from tiltyard.errors import UnauthenticatedError

KEY = b"k" * 32


def test_a_ticket_names_its_user() -> None:
    """Until it expires, to the second."""
    ticket = sign(KEY, "ann@example", 1_000)
    assert is_ticket(ticket)
    assert verify(KEY, ticket, 999.9) == "ann@example"
    with pytest.raises(UnauthenticatedError, match="reload"):
        verify(KEY, ticket, 1_000)


def test_another_key_signs_nothing() -> None:
    """Who does not hold the key makes no ticket."""
    with pytest.raises(UnauthenticatedError, match="not genuine"):
        verify(KEY, sign(b"x" * 32, "ann", 1_000), 0)


def test_every_changed_character_is_refused() -> None:
    """Of the claims and of the MAC."""
    ticket = sign(KEY, "ann", 1_000)
    for place in range(len("ticket."), len(ticket) - 1):
        other = "A" if ticket[place] != "A" else "B"
        with pytest.raises(UnauthenticatedError):
            verify(KEY, ticket[:place] + other + ticket[place + 1 :], 0)


def test_claims_for_another_user_need_another_mac() -> None:
    """The MAC of one ticket serves no other claims."""
    mac = sign(KEY, "ann", 1_000).split(".")[2]
    claims = json.dumps({"user": "root", "expires_at": 9_999}).encode()
    forged = f"ticket.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.{mac}"
    with pytest.raises(UnauthenticatedError):
        verify(KEY, forged, 0)


@pytest.mark.parametrize("text", ["ticket.", "ticket..", "ticket.a", "ticket.é.é", "ticket.a.b.c"])
def test_what_is_no_ticket_is_refused(text: str) -> None:
    """Whatever it is."""
    with pytest.raises(UnauthenticatedError):
        verify(KEY, text, 0)
