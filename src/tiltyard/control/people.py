"""People as control knows them: what the hub says of a token or of a name."""

import hashlib
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import quote

import httpx
import msgspec

from tiltyard.control.recent import Recent
from tiltyard.errors import HubAwayError, UnavailableError

BELIEVED_S = 5.0
"""With what a hub believes of a site's login (``hub.refresh_s``), changes are felt in 15 s."""
REFUSED_S = 2.0
MOST = 10_000
TIMEOUT_S = 5.0
AWAY_S = 1.0
"""For so long nobody asks a hub again that did not answer."""


class Person(msgspec.Struct, frozen=True):
    """A user of the hub, or a service.

    Attributes:
        kind: ``user`` or ``service``.
        groups: role groups and teams.
        scopes: of the token that was asked about; none when a name was.
    """

    kind: str
    name: str
    groups: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()


class People:
    """Asks the hub; usable from several threads.

    Answers are believed for 5 s, unless they must be fresh.

    Args:
        url: of the hub's API, such as ``http://127.0.0.1:8703/hub/api``.
        own_token: returns control's own token, which may read users' groups.
    """

    def __init__(self, url: str, own_token: Callable[[], str]) -> None:
        self._hub = _Hub(url)
        self._own_token = own_token
        self._by_token = Recent[Person](BELIEVED_S, REFUSED_S, MOST)
        self._by_name = Recent[Person](BELIEVED_S, REFUSED_S, MOST)

    def of_token(self, token: str, *, fresh: bool = False) -> Person | None:
        """Return whose token it is; None if the hub does not know it.

        Raises:
            HubAwayError: the hub does not answer.
        """
        # Secrets stay in memory no longer than their call.
        key = hashlib.sha256(token.encode()).hexdigest()
        return self._by_token.get(key, lambda: self._hub.person("/user", token), fresh=fresh)

    def named(self, name: str, *, fresh: bool = False) -> Person | None:
        """Return a user; None if the hub knows none of that name.

        Raises:
            HubAwayError: the hub does not answer.
            UnavailableError: the hub does not know control.
        """
        return self._by_name.get(name, lambda: self._read(name), fresh=fresh)

    def close(self) -> None:
        """Close all connections."""
        self._hub.close()

    def _read(self, name: str) -> Person | None:
        own = self._own_token()
        found = self._hub.person(f"/users/{quote(name, safe='')}", own)
        if found is None and self._hub.person("/user", own) is None:
            raise UnavailableError(
                "The hub does not know control's token: restart `tiltyard up`, so that both "
                "read the same one."
            )
        return found


class _Hub:
    """The hub's API; while it is away, one caller at a time finds out whether it is back."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = httpx.Client(
            base_url=url,
            timeout=TIMEOUT_S,
            # One person's cookie must never travel with another's token.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            trust_env=False,
            verify=url.startswith("https:"),
        )
        self._lock = threading.Lock()
        self._away: str | None = None
        self._next_try = 0.0

    def close(self) -> None:
        self._http.close()

    def person(self, path: str, token: str) -> Person | None:
        """Return the person that the hub describes; None if it knows no such token or user."""
        self._enter()
        try:
            answer = self._get(path, token)
            if answer.status_code in {
                HTTPStatus.UNAUTHORIZED,
                HTTPStatus.FORBIDDEN,
                HTTPStatus.NOT_FOUND,
            }:
                found = None
            elif answer.status_code != HTTPStatus.OK:
                raise self._gone(f"it answers {answer.status_code}")
            else:
                found = msgspec.json.decode(answer.content, type=Person)
        except httpx.TransportError as error:
            raise self._gone(str(error) or type(error).__name__) from error
        except msgspec.DecodeError as error:
            raise self._gone("what answers there is no hub") from error
        with self._lock:
            self._away = None
        return found

    def _get(self, path: str, token: str) -> httpx.Response:
        headers = {"authorization": f"token {token}"}
        try:
            return self._http.get(path, headers=headers)
        except (httpx.RemoteProtocolError, httpx.ReadError):
            # A kept-alive connection ends with the hub that it led to.
            return self._http.get(path, headers=headers)

    def _enter(self) -> None:
        # Callers that wait for a hub would take the threads that other callers need.
        with self._lock:
            now = time.monotonic()
            if self._away is not None and now < self._next_try:
                raise HubAwayError(self._url, self._away)
            self._next_try = now + TIMEOUT_S

    def _gone(self, why: str) -> HubAwayError:
        with self._lock:
            self._away = why
            self._next_try = time.monotonic() + AWAY_S
        return HubAwayError(self._url, why)
