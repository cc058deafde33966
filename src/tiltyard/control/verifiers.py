"""Whose a token is: control's own, a ticket of the Monitor, or one of the hub."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tiltyard.client.tickets import KEY_FILE, is_ticket, verify
from tiltyard.control.auth import Verifier
from tiltyard.control.people import People, Person
from tiltyard.errors import ForbiddenError, UnauthenticatedError, UnavailableError
from tiltyard.registry.tokens import Tokens
from tiltyard.settings import Settings
from tiltyard.types.people import ROLES, RoleGroups, role_of_group, roles_in, scopes_of, teams_of
from tiltyard.types.registry import Principal, Scope

LONGEST = 1024
SECRET_CHARS = 32
HUB_TOKEN_FILE = "hub-control"  # noqa: S105  a file's name


class LocalTokens:
    """Knows the tokens that control itself has issued, and those that `tiltyard up` made."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def principal(self, token: str, *, fresh: bool = False) -> Principal | None:
        """Return whose token it is, from the registry at every call."""
        return self._tokens.principal(token)


class Tickets:
    """Knows the Monitor's tickets; what their users may is asked of the hub.

    Args:
        key: returns the key that they are signed with.
        people: knows the users.
        roles: which group stands for which role.
    """

    def __init__(self, key: Callable[[], bytes], people: People, roles: RoleGroups) -> None:
        self._key = key
        self._people = people
        self._roles = roles

    def principal(self, token: str, *, fresh: bool = False) -> Principal | None:
        """Return whose ticket it is.

        Raises:
            UnauthenticatedError: it is forged or too old, or its user is gone.
            ForbiddenError: the user is of no role group.
            UnavailableError: the hub does not answer.
        """
        if not is_ticket(token):
            return None
        name = verify(self._key(), token, time.time())
        person = self._people.named(name, fresh=fresh)
        if person is None:
            raise UnauthenticatedError(f"The hub knows no user {name!r} any more: log in anew.")
        return _principal(person, scopes_of(person.groups, self._roles), self._roles)


class HubTokens:
    """Knows the tokens of the hub's users.

    Args:
        people: knows whose they are.
        roles: which group stands for which role.
    """

    def __init__(self, people: People, roles: RoleGroups) -> None:
        self._people = people
        self._roles = roles

    def principal(self, token: str, *, fresh: bool = False) -> Principal | None:
        """Return whose token it is; a service of the hub is nobody.

        Raises:
            ForbiddenError: it carries no role.
            UnavailableError: the hub does not answer.
        """
        if len(token) > LONGEST or not (token.isascii() and token.isprintable()):
            return None
        person = self._people.of_token(token, fresh=fresh)
        if person is None or person.kind != "user":
            return None
        return _principal(person, roles_in(person.scopes), self._roles)


def verifiers(settings: Settings, tokens: Tokens, people: People) -> tuple[Verifier, ...]:
    """Return who knows the tokens of this installation, in the order in which they are asked."""
    local = LocalTokens(tokens)
    if not settings.hub.enabled:
        return (local,)
    path = settings.path("tokens", KEY_FILE)
    tickets = Tickets(lambda: read_secret(path).encode(), people, settings.hub)
    return local, tickets, HubTokens(people, settings.hub)


def read_secret(path: Path) -> str:
    """Return a secret that `tiltyard up` made.

    Raises:
        UnavailableError: it is not there, or is too short to be one.
    """
    try:
        found = path.read_text().strip()
    except OSError as error:
        raise UnavailableError(
            f"Control cannot read {path} ({error.strerror}): restart `tiltyard up` with this home."
        ) from None
    if len(found) < SECRET_CHARS:
        raise UnavailableError(f"{path} is damaged: delete it, and restart `tiltyard up`.")
    return found


def _principal(person: Person, scopes: tuple[Scope, ...], roles: RoleGroups) -> Principal:
    if not scopes:
        raise _no_role(person, roles)
    return Principal(name=person.name, groups=_ordered(person.groups, roles), scopes=scopes)


def _ordered(groups: Iterable[str], roles: RoleGroups) -> tuple[str, ...]:
    # The first one gets the models that the person makes: a team, else those who train.
    names = sorted(groups)
    by_group = role_of_group(roles)
    order = (Scope.SCIENTIST, Scope.PROMOTER, Scope.OPERATOR, Scope.VIEWER)
    mine = [name for name in names if name in by_group]
    return (*teams_of(names, roles), *sorted(mine, key=lambda name: order.index(by_group[name])))


def _no_role(person: Person, roles: RoleGroups) -> ForbiddenError:
    names = list(role_of_group(roles))
    if scopes_of(person.groups, roles):
        wanted = ", ".join(f"custom:tiltyard:{role}" for role in ROLES)
        return ForbiddenError(
            f"This token of {person.name} opens nothing here: make one with a scope of "
            f"{wanted}, or with all of {person.name}'s rights.",
            groups=names,
        )
    return ForbiddenError(
        f"{person.name} is in none of the groups {', '.join(names)}: an operator adds people by "
        f"`tiltyard user groups {person.name} --add {roles.viewers}`.",
        groups=names,
    )
