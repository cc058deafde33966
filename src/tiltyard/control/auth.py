"""Who calls, and what they may do."""

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, Protocol

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from tiltyard.control.parts import Parts, Wired
from tiltyard.errors import ForbiddenError, UnauthenticatedError
from tiltyard.settings import HubSettings
from tiltyard.types.people import ROLES, role_of_group
from tiltyard.types.registry import Model, Principal, Scope

_EVERY_MODEL = {Scope.OPERATOR, Scope.RUNNER, Scope.WORKER}

_BEARER = HTTPBearer(
    auto_error=False, description="A token of control, a token of the hub, or a Monitor's ticket."
)


class Verifier(Protocol):
    """Knows the tokens of one issuer."""

    def principal(self, token: str, *, fresh: bool = False) -> Principal | None:
        """Return whose token it is; None when it is not of this issuer.

        With ``fresh`` nothing remembered is believed.
        """


def may(principal: Principal, scopes: Iterable[Scope], *, run: bool = False) -> bool:
    """Return whether a principal has one of the scopes, or one that implies it.

    Any token may what a viewer may.

    Args:
        principal: who asks.
        scopes: those of which one is enough.
        run: the token of a run is enough.
    """
    if run and principal.run is not None:
        return True
    return any(scope is Scope.VIEWER or _has(principal, scope) for scope in scopes)


def require(*scopes: Scope, run: bool = False, fresh: bool = False) -> Any:
    """Return a dependency that gives the principal if it has one of the scopes.

    Args:
        scopes: those of which one is enough.
        run: the token of a run is enough.
        fresh: ask the hub at this very call what the principal may.

    Raises:
        UnauthenticatedError: no token, or one that nobody knows.
        ForbiddenError: none of the scopes.
        UnavailableError: the hub is needed and does not answer.
    """

    def check(request: Request, parts: Wired, _: Annotated[Any, Depends(_BEARER)]) -> Principal:
        header = request.headers.get("authorization")
        principal = authenticate(header, parts.verifiers, fresh=fresh)
        if not may(principal, scopes, run=run):
            raise _too_little(principal, scopes, parts.settings.hub)
        return principal

    return Depends(check)


def authenticate(
    header: str | None, verifiers: Iterable[Verifier], *, fresh: bool = False
) -> Principal:
    """Return whose token an ``Authorization`` header holds (``Bearer`` or ``token``).

    Raises:
        UnauthenticatedError: no token, or one that nobody knows.
        ForbiddenError: a person of the hub without any role.
        UnavailableError: the hub is needed and does not answer.
    """
    scheme, _, token = (header or "").strip().partition(" ")
    if scheme.lower() not in {"bearer", "token"} or not token.strip():
        raise UnauthenticatedError("Send a token: `Authorization: Bearer <token>`.")
    for verifier in verifiers:
        if principal := verifier.principal(token.strip(), fresh=fresh):
            return principal
    raise UnauthenticatedError("Nobody knows this token: it is mistyped, revoked or of a past run.")


def must_own(principal: Principal, model: Model) -> None:
    """Check that a principal has rights on a model.

    Raises:
        ForbiddenError: it is not of the owner group.
    """
    if _EVERY_MODEL.intersection(principal.scopes) or model.owner_group in principal.groups:
        return
    raise ForbiddenError(
        f"{principal.name} has no rights on {model.name!r}: they belong to the group "
        f"{model.owner_group!r}.",
        model=model.name,
        owner_group=model.owner_group,
    )


def group_for(principal: Principal, wanted: str | None) -> str:
    """Return the owner group of a new model: the wanted one, else the principal's first.

    Of a person that is a team, if they are in one.

    Raises:
        ForbiddenError: the principal is not of the wanted group.
    """
    own = principal.groups
    if wanted is None:
        return own[0] if own else principal.name
    if wanted in own or Scope.OPERATOR in principal.scopes:
        return wanted
    raise ForbiddenError(
        f"{principal.name} is not of the group {wanted!r}, but of {_listed(own)}.",
        owner_group=wanted,
    )


def owned(parts: Parts, principal: Principal, model: str) -> Model:
    """Return a model on which the principal has rights.

    Raises:
        NotFoundError: there is no such model.
        ForbiddenError: it is another group's.
    """
    found = parts.registry.models.get(model)
    must_own(principal, found)
    return found


def _has(principal: Principal, scope: Scope) -> bool:
    if scope not in ROLES:
        return scope in principal.scopes or Scope.OPERATOR in principal.scopes
    return any(s in principal.scopes for s in ROLES[ROLES.index(scope) :])


def _too_little(principal: Principal, scopes: Sequence[Scope], hub: HubSettings) -> ForbiddenError:
    group = {role: group for group, role in role_of_group(hub).items()}.get(scopes[0])
    way = f" The group {group!r} of the hub gives it." if hub.enabled and group else ""
    return ForbiddenError(
        f"{principal.name} may not do this: it needs the scope {' or '.join(scopes)}, and the "
        f"token has {_listed(principal.scopes)}.{way}",
        needs=list(scopes),
        has=list(principal.scopes),
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


Check = Callable[..., Principal]

Anyone = Annotated[Principal, require(Scope.VIEWER)]
Scientist = Annotated[Principal, require(Scope.SCIENTIST)]
Promoter = Annotated[Principal, require(Scope.PROMOTER, fresh=True)]
Operator = Annotated[Principal, require(Scope.OPERATOR)]
