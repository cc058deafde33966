"""Who visits: the hub says it, by OAuth, and who of them may come in."""

from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from jupyterhub.services.auth import HubOAuth
from jupyterhub.singleuser.extension import JupyterHubIdentityProvider
from tornado.web import HTTPError
from traitlets import Instance, Unicode

from tiltyard.client.connect import local_token
from tiltyard.settings import Settings
from tiltyard.types.people import MONITOR_SERVICE

PREFIX = f"/services/{MONITOR_SERVICE}/"
"""Path of the Monitor behind the hub's proxy."""

_HUB = "/hub/"
_BELIEVED_S = 10
"""How long the hub's word on a visitor is believed; a change of groups is felt after it."""

_SERVER_ERROR = 500


class HubIdentity(JupyterHubIdentityProvider):
    """Knows visitors by the hub's OAuth; lets in the users whose scopes name this service."""

    hub_auth = Instance(HubOAuth)

    token = Unicode("")
    """None: the base class has the service's own here, and Jupyter's error pages print it."""

    async def get_user(self, handler: JupyterHandler) -> Any:
        """Return the visitor; None if nobody is logged in.

        Raises:
            HTTPError: 403 the visitor has no role, 503 the hub does not answer.
        """
        try:
            user = await super().get_user(handler)
        except HTTPError as error:
            if error.status_code < _SERVER_ERROR:
                raise
            raise HTTPError(503, "The hub does not answer: try again in a moment.") from None
        # A service that is named like a user is not that user.
        if user is not None and user.hub_user.get("kind") != "user":
            raise HTTPError(403, "The Monitor is for people.")
        return user

    def get_handlers(self) -> list[tuple[Any, ...]]:
        """Return the routes of the login, below the service's path."""
        return [(url_path_join(PREFIX, path), *rest) for path, *rest in super().get_handlers()]


def hub_auth(settings: Settings) -> HubOAuth:
    """Return the service's side of the hub's OAuth; nothing of it is in the environment.

    Raises:
        UnauthenticatedError: `tiltyard up` has not made the service's token yet.
    """
    return HubOAuth(
        api_url=settings.hub_api_url,
        api_token=local_token(settings, "hub-monitor"),
        hub_host="",
        hub_prefix=_HUB,
        base_url=PREFIX,
        oauth_client_id=f"service-{MONITOR_SERVICE}",
        oauth_redirect_uri=f"{PREFIX}oauth_callback",
        access_scopes={f"access:services!service={MONITOR_SERVICE}"},
        cache_max_age=_BELIEVED_S,
    )
