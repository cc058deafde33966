"""Finds control and a token from the settings."""

from tiltyard.client.control import ControlClient
from tiltyard.client.local import local_token
from tiltyard.settings import Settings, load_settings

__all__ = ["connect", "local_token"]


def connect(settings: Settings | None = None) -> ControlClient:
    """Return a client with the token of ``client.token``, else of ``home/tokens/cli``.

    Raises:
        UnauthenticatedError: there is neither.
    """
    settings = settings or load_settings()
    return ControlClient(settings.control_url, settings.client.token or local_token(settings))
