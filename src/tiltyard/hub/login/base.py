"""What all of Tiltyard's authenticators share."""

from collections.abc import Awaitable
from typing import Any

from jupyterhub.auth import Authenticator
from tornado import web

from tiltyard.errors import InvalidInputError
from tiltyard.hub.handlers import HANDLERS
from tiltyard.settings import HubSettings, Section, load_settings
from tiltyard.types.people import role_of_group, scopes_of

USERNAME_PATTERN = r"[a-z0-9][a-z0-9._@+-]{0,62}\Z"
"""A user's name is a folder, too: nothing in it may leave the folder of users."""


class TiltyardLogin(Authenticator):
    """Adds Tiltyard's own calls to the hub's API."""

    def get_handlers(self, app: Any) -> list[tuple[str, Any]]:
        """Return the authenticator's handlers and Tiltyard's; they come before the hub's own."""
        return [*super().get_handlers(app), *HANDLERS]


class SiteLogin(TiltyardLogin):
    """A login of the site, which also says who is in which group.

    Only who has a role may come in. Groups are read again whenever they are older than
    ``hub.refresh_s`` and asked for; who is gone from the site has none.
    """

    def check_allow_config(self) -> None:
        """Leave out the hub's warning that nobody is allowed: ``check_allowed`` is the rule."""

    async def check_allowed(self, username: str, authentication: Any = None) -> bool:
        """Let in who is of a role group.

        Raises:
            HTTPError: 403 with a sentence for who is not.
        """
        hub = load_settings().hub
        groups = (authentication or {}).get("groups") or ()
        if not scopes_of(groups, hub):
            raise web.HTTPError(403, no_role(username, hub))
        return True

    async def refresh_user(self, user: Any, handler: Any = None) -> Any:
        """Return the user's groups as they are now.

        A site that does not answer changes nothing: what it said last is believed until it
        says something else.
        """
        try:
            return await self.read_again(user, handler)
        except self.unreachable() as error:
            self.log.warning("The groups of %s cannot be read now: %s", user.name, error)
            return True

    def read_again(self, user: Any, handler: Any) -> Awaitable[Any]:
        """Ask the site; the answer is as of ``refresh_user``."""
        raise NotImplementedError

    def unreachable(self) -> tuple[type[Exception], ...]:
        """Return the errors that mean that the site does not answer."""
        return (OSError,)


def no_role(username: str, hub: HubSettings) -> str:
    """Return what a person is told who has a login and no role."""
    groups = ", ".join(role_of_group(hub))
    return (
        f"The login of {username} is right, but Tiltyard gives it no role: ask for one of the "
        f"groups {groups}."
    )


def needed(section: str, settings: Section, *names: str) -> None:
    """Check that settings of a login are given.

    Raises:
        InvalidInputError: naming those that are not.
    """
    missing = [f"{section}.{name}" for name in names if not getattr(settings, name)]
    if missing:
        raise InvalidInputError(
            f"hub.authenticator = {section!r} also needs {', '.join(missing)}: set it in "
            "tiltyard.toml."
        )
