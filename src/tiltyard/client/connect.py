"""Finds control and a token from the settings."""

from tiltyard.client.control import ControlClient
from tiltyard.errors import UnauthenticatedError
from tiltyard.settings import Settings, load_settings


def connect(settings: Settings | None = None) -> ControlClient:
    """Return a client with the token of ``client.token``, else of ``home/tokens/cli``.

    Raises:
        UnauthenticatedError: there is neither.
    """
    settings = settings or load_settings()
    return ControlClient(settings.control_url, settings.client.token or local_token(settings))


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
