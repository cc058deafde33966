"""JupyterHub for Tiltyard: logins, groups and roles, people's servers, services."""

from tiltyard.hub.config import configure

__all__ = ["configure"]
