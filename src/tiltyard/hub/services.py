"""Tiltyard's processes as services of the hub."""

import sys
from typing import Any

from tiltyard.client.local import local_token
from tiltyard.settings import Settings
from tiltyard.types.people import (
    CLI_SERVICE,
    CONTROL_SERVICE,
    MONITOR_SERVICE,
    ROLES,
    custom_scope,
)

_PATIENCE_S = 1
"""How long the hub's own start waits for a service; it is there later all the same."""


def services(settings: Settings) -> list[dict[str, Any]]:
    """Return the hub's services; control and Monitor are started by `tiltyard up`."""
    found: list[dict[str, Any]] = [
        {
            "name": CONTROL_SERVICE,
            "url": settings.control_url,
            "api_token": local_token(settings, "hub-control"),
            "display": False,
            "timeout": _PATIENCE_S,
        },
        {
            "name": MONITOR_SERVICE,
            "url": settings.monitor_url,
            "api_token": local_token(settings, "hub-monitor"),
            # A page of the same installation: nobody gains from being asked.
            "oauth_no_confirm": True,
            "oauth_client_allowed_scopes": [custom_scope(role) for role in ROLES],
            "timeout": _PATIENCE_S,
        },
        {"name": CLI_SERVICE, "api_token": local_token(settings, "hub-cli"), "display": False},
    ]
    if settings.hub.idle_timeout_s:
        found.append(_idle_culler(settings.hub.idle_timeout_s))
    return found


def _idle_culler(timeout_s: int) -> dict[str, Any]:
    return {
        "name": "idle-culler",
        "display": False,
        "command": [
            *(sys.executable, "-m", "jupyterhub_idle_culler"),
            f"--timeout={timeout_s}",
            f"--cull-every={max(1, min(timeout_s // 2, 300))}",
        ],
    }
