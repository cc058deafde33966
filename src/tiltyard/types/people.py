"""People as JupyterHub knows them: role groups, custom scopes, services."""

from collections.abc import Iterable
from typing import Protocol

from tiltyard.types.registry import Scope

ROLES = (Scope.VIEWER, Scope.SCIENTIST, Scope.PROMOTER, Scope.OPERATOR)
"""In the order of what they may: each may what those before it may."""

SCOPE_PREFIX = "custom:tiltyard:"
"""The hub's custom scopes are this and the role, such as ``custom:tiltyard:promoter``."""

CONTROL_SERVICE = "control"
MONITOR_SERVICE = "monitor"
CLI_SERVICE = "hub-cli"
"""Names of the hub's services; the last is what `tiltyard user` calls the hub as."""


class RoleGroups(Protocol):
    """Which group of the hub stands for which role; the settings section ``hub`` is one."""

    @property
    def viewers(self) -> str:
        """Group whose members look."""

    @property
    def scientists(self) -> str:
        """Group whose members train and deploy."""

    @property
    def promoters(self) -> str:
        """Group whose members choose champions."""

    @property
    def operators(self) -> str:
        """Group whose members run the installation."""


def custom_scope(role: Scope) -> str:
    """Return the hub's name of a role's scope."""
    return f"{SCOPE_PREFIX}{role}"


def roles_in(scopes: Iterable[str]) -> tuple[Scope, ...]:
    """Return the roles among a hub token's scopes, in their order.

    The hub may narrow a scope by a filter (``custom:tiltyard:viewer!user=ann``); such a one
    is no role, and neither is anything that is not Tiltyard's.
    """
    given = set(scopes)
    return tuple(role for role in ROLES if custom_scope(role) in given)


def role_of_group(groups: RoleGroups) -> dict[str, Scope]:
    """Return the role that each role group stands for; of one group named twice, the higher."""
    names = (groups.viewers, groups.scientists, groups.promoters, groups.operators)
    return dict(zip(names, ROLES, strict=True))


def scopes_of(names: Iterable[str], groups: RoleGroups) -> tuple[Scope, ...]:
    """Return the roles that membership in these groups gives, in their order."""
    by_group = role_of_group(groups)
    given = {by_group[name] for name in names if name in by_group}
    return tuple(role for role in ROLES if role in given)


def teams_of(names: Iterable[str], groups: RoleGroups) -> tuple[str, ...]:
    """Return the groups that stand for no role: owner groups of models."""
    by_group = role_of_group(groups)
    return tuple(name for name in names if name not in by_group)
