"""The desk that hands each visitor a ticket, and reads the name on it again."""

import time
from dataclasses import dataclass

from tiltyard.client.connect import local_token
from tiltyard.client.tickets import KEY_FILE, sign, verify
from tiltyard.settings import Settings

HEADER = "X-Tiltyard-Ticket"
"""Voila hands this header to the kernel; whatever a browser sends under it is dropped."""

VARIABLE = "HTTP_X_TILTYARD_TICKET"
"""The kernel's name of it."""

_HOUR_S = 3600


@dataclass(frozen=True)
class TicketDesk:
    """Signs tickets.

    Attributes:
        key: of control and Monitor.
        seconds: how long a ticket is good.
    """

    key: bytes
    seconds: float

    def ticket(self, user: str) -> str:
        """Return a new ticket for a user."""
        return sign(self.key, user, int(time.time() + self.seconds))

    def holder(self, ticket: str) -> str:
        """Return the user whose ticket it is.

        Raises:
            UnauthenticatedError: it was not signed here, or is too old.
        """
        return verify(self.key, ticket, time.time())


def open_desk(settings: Settings) -> TicketDesk:
    """Return the desk of an installation.

    Raises:
        UnauthenticatedError: `tiltyard up` has not made the key yet.
    """
    key = local_token(settings, KEY_FILE).encode()
    return TicketDesk(key, settings.monitor.ticket_hours * _HOUR_S)
