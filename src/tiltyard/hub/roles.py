"""What the hub lets people and Tiltyard's processes do."""

from typing import Any

from tiltyard.settings import Settings
from tiltyard.types.people import (
    CLI_SERVICE,
    CONTROL_SERVICE,
    MONITOR_SERVICE,
    ROLES,
    custom_scope,
    role_of_group,
)
from tiltyard.types.registry import Scope

_DESCRIPTIONS = {
    Scope.VIEWER: "Look at models, their metrics and live data",
    Scope.SCIENTIST: "Train models and deploy their versions",
    Scope.PROMOTER: "Choose champions",
    Scope.OPERATOR: "Run this installation",
}

_EVERYBODY = (
    "read:users!user",
    "read:tokens!user",
    "tokens!user",
)
"""JupyterHub's "self" without its servers."""

_PAGES = (
    f"access:services!service={CONTROL_SERVICE}",
    f"access:services!service={MONITOR_SERVICE}",
)
_OWN_SERVER = ("servers!user", "read:servers!user", "access:servers!user", "users:activity!user")
_OPERATOR = (
    *("admin-ui", "admin:users", "list:users", "admin:groups", "list:groups", "admin:servers"),
    *("list:services", "read:services", "read:hub", "read:roles", "read:metrics", "proxy"),
)
"""All of the hub's administration but entering other people's servers and their tokens."""

_READS_PEOPLE = ("list:users", "read:users:name", "read:users:groups")
_MANAGES_PEOPLE = ("admin:users", "list:users", "admin:groups", "list:groups", "delete:servers")
_HUB_SCOPES = {
    Scope.VIEWER: _PAGES,
    Scope.SCIENTIST: (*_PAGES, *_OWN_SERVER),
    Scope.PROMOTER: (*_PAGES, *_OWN_SERVER),
    Scope.OPERATOR: (*_PAGES, *_OWN_SERVER, *_OPERATOR),
}


def custom_scopes() -> dict[str, dict[str, Any]]:
    """Return the definitions of Tiltyard's scopes."""
    return {custom_scope(role): {"description": _DESCRIPTIONS[role]} for role in ROLES}


def roles(settings: Settings) -> list[dict[str, Any]]:
    """Return the hub's roles: those of the role groups, and those of services."""
    groups: dict[Scope, list[str]] = {}
    for group, role in role_of_group(settings.hub).items():
        groups.setdefault(role, []).append(group)
    people = [
        {
            "name": f"tiltyard-{role}",
            "description": _DESCRIPTIONS[role],
            "scopes": [custom_scope(role), *_HUB_SCOPES[role]],
            "groups": groups.get(role, []),
        }
        for role in ROLES
    ]
    everybody = {
        "name": "user",
        "description": "See oneself; all else comes with a role group",
        "scopes": list(_EVERYBODY),
    }
    return [everybody, *people, *_of_services(settings)]


def _of_services(settings: Settings) -> list[dict[str, Any]]:
    given = {CONTROL_SERVICE: _READS_PEOPLE, CLI_SERVICE: _MANAGES_PEOPLE}
    if settings.hub.idle_timeout_s:
        given["idle-culler"] = (
            *("list:users", "read:users:activity", "read:servers", "delete:servers"),
        )
    return [
        {
            "name": f"tiltyard-service-{name}",
            "description": f"What Tiltyard's {name} needs",
            "scopes": list(scopes),
            "services": [name],
        }
        for name, scopes in given.items()
    ]
