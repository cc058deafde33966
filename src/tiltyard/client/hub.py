"""JupyterHub's API: who there is, and in which groups."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import quote

import httpx

from tiltyard.client.local import local_token
from tiltyard.errors import (
    ConflictError,
    ForbiddenError,
    HubAwayError,
    InvalidInputError,
    NotFoundError,
    TiltyardError,
    TimedOutError,
    UnauthenticatedError,
)
from tiltyard.settings import Settings, load_settings
from tiltyard.types.base import Document
from tiltyard.types.people import CLI_SERVICE

_PAGE = 200
_TIMEOUT_S = 30.0
_AWAY = {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}
_KINDS: dict[int, type[TiltyardError]] = {
    HTTPStatus.BAD_REQUEST: InvalidInputError,
    HTTPStatus.UNAUTHORIZED: UnauthenticatedError,
    HTTPStatus.FORBIDDEN: ForbiddenError,
    HTTPStatus.CONFLICT: ConflictError,
    HTTPStatus.UNPROCESSABLE_ENTITY: InvalidInputError,
}


class Person(Document):
    """A user of the hub.

    Attributes:
        groups: role groups and teams, in order.
        last_activity: ISO time of the latest request; None if there was none.
        server: whether a server of theirs runs.
    """

    name: str
    groups: tuple[str, ...] = ()
    last_activity: str | None = None
    server: bool = False


class HubClient:
    """Calls the hub with a service's token.

    Args:
        url: of the hub's API, such as ``http://127.0.0.1:8703/hub/api``.
        token: of a service that may manage people.
    """

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._http = httpx.Client(
            base_url=url,
            headers={
                "authorization": f"token {token}",
                "accept": "application/json, application/jupyterhub-pagination+json",
            },
            timeout=httpx.Timeout(_TIMEOUT_S, connect=5.0),
            trust_env=False,
            verify=url.startswith("https:"),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def people(self) -> list[Person]:
        """Return all users, by name."""
        found: list[Person] = []
        while True:
            page = self._send("GET", "/users", params={"offset": len(found), "limit": _PAGE}).json()
            found += map(_person, page["items"])
            if page["_pagination"]["next"] is None:
                return sorted(found, key=lambda person: person.name)

    def person(self, name: str) -> Person:
        """Return a user.

        Raises:
            NotFoundError: there is none of that name.
        """
        return _person(self._send("GET", _user(name), about=("user", name)).json())

    def add(self, name: str) -> Person:
        """Make a user, who has no password and no group yet.

        Raises:
            ConflictError: there is one of that name.
            InvalidInputError: the name cannot be one.
        """
        try:
            made = self._send("POST", "/users", json={"usernames": [name]}).json()
        except InvalidInputError:
            raise InvalidInputError(
                f"{name!r} cannot be a user's name: begin with a small letter or a digit, go on "
                "with those or . _ @ + -, at most 63 in all."
            ) from None
        except ConflictError:
            raise ConflictError(
                f"There is a user {name!r} already: `tiltyard user groups {name}` changes groups, "
                f"`tiltyard user password {name}` the password."
            ) from None
        return _person(made[0])

    def remove(self, name: str) -> None:
        """Stop a user's server and forget the user with password and tokens.

        Raises:
            NotFoundError: there is none of that name.
        """
        self._send("DELETE", _user(name), about=("user", name))

    def set_password(self, name: str, password: str) -> None:
        """Set a user's password.

        Raises:
            NotFoundError: there is no such user.
            InvalidInputError: the password is weak.
            ConflictError: passwords are kept by the site.
        """
        path = f"/tiltyard{_user(name)}/password"
        self._send("PUT", path, about=("user", name), json={"password": password})

    def join(self, name: str, groups: Iterable[str]) -> None:
        """Put a user into groups; those that are new are made.

        Raises:
            NotFoundError: there is no such user.
            ConflictError: groups come from the site's login.
        """
        self.person(name)
        for group in groups:
            try:
                self._members("POST", group, name)
            except NotFoundError:
                self._send("POST", _group(group), json={"users": [name]})

    def leave(self, name: str, groups: Iterable[str]) -> None:
        """Take a user out of groups.

        Raises:
            NotFoundError: there is no such user or group.
            ConflictError: groups come from the site's login.
        """
        self.person(name)
        for group in groups:
            self._members("DELETE", group, name)

    def _members(self, method: str, group: str, name: str) -> None:
        path = f"{_group(group)}/users"
        self._send(method, path, about=("group", group), json={"users": [name]})

    def _send(
        self, method: str, path: str, *, about: tuple[str, str] | None = None, **request: Any
    ) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **request)
        except httpx.ReadTimeout:
            raise TimedOutError(f"The hub at {self.url} took too long to answer.") from None
        except httpx.TransportError as error:
            raise HubAwayError(self.url, str(error) or type(error).__name__) from error
        if answer.is_error:
            raise self._error(answer, about)
        return answer

    def _error(self, answer: httpx.Response, about: tuple[str, str] | None) -> TiltyardError:
        status = answer.status_code
        if status in _AWAY:
            return HubAwayError(self.url, f"it answered {status}")
        if status == HTTPStatus.NOT_FOUND and about is not None:
            return NotFoundError(*about)
        told = _message(answer)
        kind = _KINDS.get(status, TiltyardError)
        return kind(told or f"The hub answered {status}.")


def connect_hub(settings: Settings | None = None) -> HubClient:
    """Return a client with the token that `tiltyard up` made for the command line.

    Raises:
        UnauthenticatedError: there is none that this user may read.
    """
    settings = settings or load_settings()
    return HubClient(settings.hub_api_url, local_token(settings, CLI_SERVICE))


def _person(user: dict[str, Any]) -> Person:
    return Person(
        name=user["name"],
        groups=tuple(sorted(user.get("groups", ()))),
        last_activity=user.get("last_activity"),
        server=bool(user.get("server")),
    )


def _message(answer: httpx.Response) -> str:
    try:
        told = answer.json()["message"]
    except (ValueError, KeyError, TypeError):
        return ""
    return str(told)


def _user(name: str) -> str:
    return f"/users/{quote(name, safe='')}"


def _group(name: str) -> str:
    return f"/groups/{quote(name, safe='')}"
