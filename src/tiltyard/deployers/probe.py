"""What the reconciler asks of a scorer before it trusts it."""

from pathlib import Path

from tiltyard.deployers.probing import NotListeningError
from tiltyard.errors import TimedOutError, UnavailableError
from tiltyard.scoring import probe as scoring_probe

REFUSED_EXITS = frozenset({2, 3})
"""A scorer ends so when its folder, its engine or its golden rows are not as they must be."""
PROBE_TIMEOUT_S = 10.0


def probe(endpoint: str, folder: Path, uid: int | None = None) -> str | None:
    """Return why a scorer is refused; None if it repeats the golden rows over its socket.

    Raises:
        NotListeningError: it does not listen yet, or not any more.
    """
    try:
        return scoring_probe.probe(endpoint, folder, PROBE_TIMEOUT_S, uid)
    except (UnavailableError, TimedOutError) as error:
        raise NotListeningError(error.message) from None
