"""Login by the machine's accounts (PAM), whose groups are the machine's."""

import grp
import os
import pwd
from typing import Any

from jupyterhub.auth import PAMAuthenticator

from tiltyard.hub.login.base import SiteLogin
from tiltyard.settings import Settings


class Machine(SiteLogin, PAMAuthenticator):
    """PAMAuthenticator that hands the machine's groups to the hub."""

    async def authenticate(self, handler: Any, data: dict[str, str]) -> dict[str, Any] | None:
        """Return the account's name and groups if PAM takes the password, else None."""
        name = await PAMAuthenticator.authenticate(self, handler, data)
        return None if name is None else {"name": name, "groups": groups_of(name)}

    async def read_again(self, user: Any, handler: Any) -> Any:
        """Read the machine's groups."""
        return {"groups": groups_of(user.name)}


def groups_of(name: str) -> list[str]:
    """Return the groups of an account, in order; none for one that is gone."""
    try:
        numbers = os.getgrouplist(name, pwd.getpwnam(name).pw_gid)
    except KeyError:
        return []
    found = []
    for number in numbers:
        try:
            found.append(grp.getgrgid(number).gr_name)
        except KeyError:  # a number without a name
            continue
    return sorted(found)


def configure_login(c: Any, settings: Settings) -> None:
    """Fill the configuration of the machine's login."""
    c.JupyterHub.authenticator_class = Machine
    c.Authenticator.manage_groups = True
    c.PAMAuthenticator.service = settings.pam.service
