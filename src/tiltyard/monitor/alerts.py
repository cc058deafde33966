"""What the page says when something went wrong: an exception would appear nowhere on it."""

import logging
from datetime import UTC, datetime, timedelta

from tiltyard.errors import TiltyardError, UnauthenticatedError, UnavailableError

log = logging.getLogger(__name__)

UNEXPECTED = (
    "Something went wrong on this page. Reload the page; if that does not help, tell the operator."
)
NO_TICKET = "This page has no ticket for control: open it through the hub."


def sentence_for(error: Exception, now: datetime, every_s: float) -> str:
    """Return what to tell the visitor of an error.

    Args:
        error: what was raised; the unexpected is logged, and told in general only.
        now: an aware time.
        every_s: seconds after which the page asks again.
    """
    if isinstance(error, UnauthenticatedError):
        return f"{error.message.rstrip('.').partition(': ')[0]}: reload the page."
    again = f"{(now + timedelta(seconds=every_s)).astimezone(UTC):%H:%M:%S} UTC"
    if isinstance(error, TimeoutError):
        return f"Control takes long to answer; trying again at {again}."
    if isinstance(error, UnavailableError):
        if error.code == "control_away":
            return f"Control does not answer; trying again at {again}."
        return f"{error.message.rstrip('.')}. Trying again at {again}."
    if isinstance(error, TiltyardError):
        return error.message
    log.error("the page met an unexpected error", exc_info=error)
    return UNEXPECTED


class Alerts:
    """What is wrong, by what was being done: ``look`` or ``act``.

    A refresh that succeeds does not take away what an action was told.
    """

    def __init__(self) -> None:
        self._told = {"look": "", "act": ""}

    def tell(self, of: str, sentence: str) -> str:
        """Set what is wrong with something (nothing: empty); return all there is to say."""
        self._told[of] = sentence
        return " ".join(dict.fromkeys(told for told in self._told.values() if told))
