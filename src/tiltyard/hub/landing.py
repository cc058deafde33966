"""Where a person comes to after the login."""

from typing import Any

from tiltyard.types.people import MONITOR_SERVICE, custom_scope
from tiltyard.types.registry import Scope

_MONITOR = f"services/{MONITOR_SERVICE}/"


def landing_page(handler: Any) -> str:
    """Return the page of a person's role; empty leaves it to the hub.

    Who trains comes to JupyterLab, who judges to the Monitor, all others to the hub's home
    page, which says what they may open.

    Args:
        handler: the hub's request handler; nobody may be logged in yet.
    """
    user = handler.current_user
    if user is None:
        return ""
    # A person who has just logged in: the handler's own scopes are still nobody's.
    held = held_roles(user)
    base = handler.base_url
    if Scope.OPERATOR in held or not held:
        return f"{base}hub/home"
    if Scope.PROMOTER in held or Scope.SCIENTIST not in held:
        return f"{base}{_MONITOR}"
    return ""


def held_roles(user: Any) -> set[Scope]:
    """Return the roles that a user of the hub has now."""
    from jupyterhub.scopes import get_scopes_for  # noqa: PLC0415  not read by the CLI

    scopes = get_scopes_for(user.orm_user)
    return {role for role in Scope if custom_scope(role) in scopes}
