"""Tiltyard's own calls in the hub's API."""

from typing import Any

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.apihandlers.users import UserAPIHandler
from jupyterhub.scopes import needs_scope
from tornado import web

from tiltyard.settings import load_settings


class PasswordHandler(APIHandler):
    """Sets passwords, where Tiltyard keeps them."""

    @needs_scope("admin:users")
    async def put(self, user_name: str) -> None:
        """Set a user's password: ``{"password": text}`` → 204.

        Raises:
            HTTPError: 404 no such user, 409 the site keeps passwords, 422 the password is weak.
        """
        user = self.find_user(user_name)
        if user is None:
            raise web.HTTPError(404, f"There is no user {user_name!r}.")
        if not hasattr(self.authenticator, "set_password"):
            kind = load_settings().hub.authenticator
            raise web.HTTPError(
                409, f"Passwords are kept by the site (hub.authenticator = {kind!r}), not here."
            )
        body = self.get_json_body()
        password = body.get("password") if isinstance(body, dict) else None
        if not isinstance(password, str):
            raise web.HTTPError(422, 'Send {"password": text}.')
        await self.authenticator.set_password(user.name, password)
        self.set_status(204)


class FreshUserHandler(UserAPIHandler):
    """The hub's own call, of groups that the site was asked for not long ago.

    Without it another's groups, such as control reads them at a promotion, would be those of
    that person's latest visit.
    """

    async def get(self, user_name: str) -> Any:
        """Answer as the hub does, after the authenticator's refresh."""
        user = self.find_user(user_name)
        if user is not None and self.current_user is not None:
            await self.refresh_auth(user)
        answer = super().get(user_name)
        return None if answer is None else await answer


HANDLERS: list[tuple[str, Any]] = [
    (r"/api/tiltyard/users/([^/]+)/password", PasswordHandler),
    (r"/api/users/([^/]+)", FreshUserHandler),
]
