"""What the token of a user's server counts for."""

from typing import Any

from jupyterhub import orm

from tiltyard.types.people import CONTROL_SERVICE, ROLES, custom_scope

SCOPES = (
    *("users:activity!user", "access:servers!server"),
    f"access:services!service={CONTROL_SERVICE}",
    *map(custom_scope, ROLES),
)


def follow_roles(spawner: Any) -> None:
    """Let a server's token count for each role that its owner gets while it runs.

    A token never counts for more than its owner has at the moment; but the hub also leaves out
    what the owner does not have when it is made.
    """
    token = orm.APIToken.find(spawner.db, spawner.api_token)
    if token is not None:
        token.scopes = sorted({*token.scopes, *map(custom_scope, ROLES)})
        spawner.db.commit()
