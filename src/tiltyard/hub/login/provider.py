"""Login by an OpenID Connect provider."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
from oauthenticator.generic import GenericOAuthenticator
from tornado.httpclient import HTTPClientError

from tiltyard.errors import InvalidInputError
from tiltyard.hub.login.base import SiteLogin, needed
from tiltyard.settings import OidcSettings, Settings

_DISCOVERY = ".well-known/openid-configuration"
_URLS = {
    "authorize_url": "authorization_endpoint",
    "token_url": "token_endpoint",
    "userdata_url": "userinfo_endpoint",
}
_TIMEOUT_S = 10.0
_SERVER_ERROR = 500


class _UnreachableError(Exception):
    """The provider answered with its own failure."""


class Provider(SiteLogin, GenericOAuthenticator):
    """GenericOAuthenticator whose groups are those of a claim, read again at each refresh."""

    async def read_again(self, user: Any, handler: Any) -> Any:
        """Ask the provider with the user's access token, renewed when it is over.

        Where the provider does not know the user any more, a browser has to log in again, and
        nothing that acts for the user has any group.
        """
        try:
            found = await GenericOAuthenticator.refresh_user(self, user, handler)
        except HTTPClientError as error:
            if error.code < _SERVER_ERROR:
                raise
            raise _UnreachableError(str(error)) from error
        if found is False and not _is_own_page(user, handler):
            return {"groups": []}
        return found

    def unreachable(self) -> tuple[type[Exception], ...]:
        """Return the errors that mean that the provider does not answer."""
        return (_UnreachableError, OSError, asyncio.TimeoutError)


def configure_login(c: Any, settings: Settings) -> None:
    """Fill the configuration of the provider's login.

    Raises:
        InvalidInputError: a setting is missing, or the provider's document cannot be read.
    """
    oidc = settings.oidc
    needed("oidc", oidc, "client_id")
    c.JupyterHub.authenticator_class = Provider
    c.Authenticator.manage_groups = True
    c.Authenticator.enable_auth_state = True
    c.Authenticator.refresh_pre_spawn = True
    c.OAuthenticator.login_service = oidc.label
    c.OAuthenticator.client_id = oidc.client_id
    c.OAuthenticator.client_secret = _secret(oidc)
    c.OAuthenticator.oauth_callback_url = f"{settings.hub_url}hub/oauth_callback"
    c.OAuthenticator.scope = oidc.scope.split()
    c.OAuthenticator.username_claim = oidc.username_claim
    c.OAuthenticator.auth_state_groups_key = f"oauth_user.{oidc.groups_claim}"
    for name, url in _urls(oidc, settings.path("hub", "provider.json")).items():
        setattr(c.OAuthenticator, name, url)


def _is_own_page(user: Any, handler: Any) -> bool:
    own = getattr(handler, "_jupyterhub_user", None) is user
    return own and not getattr(handler, "_token_authenticated", False)


def _secret(oidc: OidcSettings) -> str:
    if not oidc.client_secret_file:
        needed("oidc", oidc, "client_secret")
        return oidc.client_secret
    try:
        return Path(oidc.client_secret_file).read_text().strip()
    except OSError as error:
        raise InvalidInputError(
            f"oidc.client_secret_file {oidc.client_secret_file} cannot be read ({error.strerror})."
        ) from None


def _urls(oidc: OidcSettings, kept: Path) -> dict[str, str]:
    given = {name: str(getattr(oidc, name)) for name in _URLS}
    if all(given.values()):
        return given
    needed("oidc", oidc, "issuer")
    document = _document(oidc.issuer.rstrip("/"), kept)
    try:
        return {name: given[name] or document[key] for name, key in _URLS.items()}
    except KeyError as error:
        raise InvalidInputError(
            f"The provider's document at {oidc.issuer} names no {error}: set oidc.authorize_url, "
            "oidc.token_url and oidc.userdata_url."
        ) from None


def _document(issuer: str, kept: Path) -> dict[str, str]:
    """Return the provider's document; the last one while the provider is away.

    Else nothing here could start while the provider is down.
    """
    url = f"{issuer}/{_DISCOVERY}"
    try:
        answer = httpx.get(url, timeout=_TIMEOUT_S, follow_redirects=True)
        document: dict[str, str] = answer.raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        if (last := _last_document(issuer, kept)) is not None:
            return last
        raise InvalidInputError(
            f"The provider's document {url} cannot be read ({error}): see that oidc.issuer is "
            "right and answers from this machine."
        ) from None
    kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept.write_text(json.dumps({**document, "issuer": issuer}))
    return document


def _last_document(issuer: str, kept: Path) -> dict[str, str] | None:
    try:
        last: dict[str, str] = json.loads(kept.read_text())
    except (OSError, ValueError):
        return None
    return last if last.get("issuer") == issuer else None
