"""Local tokens, as light to import as the hub and its proxy need it."""

from tiltyard.errors import UnauthenticatedError
from tiltyard.settings import Settings


def local_token(settings: Settings, name: str = "cli") -> str:
    """Return the token that ``tiltyard up`` made for a name in ``home/tokens``.

    Raises:
        UnauthenticatedError: there is none that this user may read.
    """
    path = settings.path("tokens", name)
    try:
        return path.read_text().strip()
    except OSError as error:
        raise UnauthenticatedError(
            f"No token for control: {path} cannot be read ({error.strerror}). Start `tiltyard up` "
            "with the same home, or set TILTYARD_CLIENT__TOKEN.",
            path=str(path),
        ) from None
