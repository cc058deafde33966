"""Asks a scorer who it is and lets it repeat the golden rows."""

from pathlib import Path

from tiltyard.deployers.reconcile import NotListeningError
from tiltyard.errors import TiltyardError, TimedOutError, UnavailableError
from tiltyard.scoring.client import ScorerClient
from tiltyard.types.registry import Version

REFUSED_EXIT = 3
PROBE_TIMEOUT_S = 10.0


def probe(endpoint: str, folder: Path, version: Version) -> str | None:
    """Return why a scorer is refused; None if it is the version and repeats its golden rows.

    Raises:
        NotListeningError: it does not listen yet.
    """
    try:
        client = ScorerClient(endpoint, PROBE_TIMEOUT_S)
    except (UnavailableError, TimedOutError) as error:
        raise NotListeningError(error.message) from None
    with client:
        if client.hello.signature != version.manifest.signature.digest:
            return f"The scorer at {endpoint} serves another signature than {version.model}'s."
        try:
            return None
        except TiltyardError as error:
            return error.message
