"""`tiltyard user`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from tiltyard.cli.base import group
from tiltyard.cli.output import done, print_json, print_table, say
from tiltyard.cli.session import JsonOption
from tiltyard.errors import ConflictError, InvalidInputError

if TYPE_CHECKING:
    from tiltyard.client.hub import HubClient

commands = group("user", "People: names, groups and passwords.")

NameArgument = Annotated[str, typer.Argument(help="Of the user.")]
StdinOption = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]


@contextmanager
def hub() -> Iterator["HubClient"]:
    """Give a client of the hub.

    Raises:
        ConflictError: this installation has no hub.
    """
    from tiltyard.client.hub import connect_hub
    from tiltyard.settings import load_settings

    settings = load_settings()
    if not settings.hub.enabled:
        raise ConflictError("There are no users without a hub: set hub.enabled = true.")
    with connect_hub(settings) as client:
        yield client


@commands.command()
def add(
    name: NameArgument,
    groups: Annotated[
        list[str] | None,
        typer.Option("--group", help="A role group (viewers, scientists, …) or a team."),
    ] = None,
    password_stdin: StdinOption = False,
) -> None:
    """Make a user; a password that is not given is made up and printed this once.

    Example: tiltyard user add ann --group scientists --group rentals
    """
    _check_login()
    password = _read_password() if password_stdin else None
    with hub() as client:
        client.add(name)
        try:
            made = _set_password(client, name, password)
            client.join(name, groups or ())
        except Exception:
            client.remove(name)
            raise
    listed = f" of {', '.join(groups)}" if groups else ""
    done(f"{name}{listed} can log in.")
    _tell(made, password)


@commands.command("list")
def list_(json: JsonOption = False) -> None:
    """List users with their groups and roles.

    Example: tiltyard user list
    """
    from tiltyard.settings import load_settings
    from tiltyard.types.people import scopes_of

    with hub() as client:
        found = client.people()
    if json:
        print_json(found)
        return
    settings = load_settings().hub
    rows = (
        (
            p.name,
            ", ".join(scopes_of(p.groups, settings)) or "none",
            ", ".join(p.groups),
            "runs" if p.server else "-",
            p.last_activity,
        )
        for p in found
    )
    print_table(("name", "roles", "groups", "server", "seen"), rows, "There are no users.")


@commands.command()
def remove(name: NameArgument) -> None:
    """Remove a user, password and server included; the user's folder stays.

    Example: tiltyard user remove ann
    """
    from tiltyard.settings import load_settings

    with hub() as client:
        client.remove(name)
    done(f"{name} is removed; what is in {load_settings().path('users', name)} stays.")


@commands.command()
def groups(
    name: NameArgument,
    add: Annotated[list[str] | None, typer.Option("--add", help="A group to join.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", help="One to leave.")] = None,
) -> None:
    """Show a user's groups, or change them; it counts within seconds.

    Example: tiltyard user groups ann --add promoters --remove scientists
    """
    if add or remove:
        _check_login()
    with hub() as client:
        if add:
            client.join(name, add)
        if remove:
            client.leave(name, remove)
        person = client.person(name)
    say(f"{name}: {', '.join(person.groups) or 'no group'}")


@commands.command()
def password(name: NameArgument, password_stdin: StdinOption = False) -> None:
    """Set a user's password; one that is not given is made up and printed this once.

    Example: tiltyard user password ann
    """
    _check_login()
    given = _read_password() if password_stdin else None
    with hub() as client:
        made = _set_password(client, name, given)
    done(f"{name} has a new password.")
    _tell(made, given)


def _check_login() -> None:
    from tiltyard.settings import load_settings

    kind = load_settings().hub.authenticator
    if kind != "firstuse":
        raise ConflictError(
            f"People, passwords and groups are kept by the site (hub.authenticator = {kind!r}): "
            "change them there; here they are from the next login on."
        )


def _set_password(client: "HubClient", name: str, given: str | None) -> str:
    from tiltyard.cli.passwords import make_password

    password = make_password() if given is None else given
    client.set_password(name, password)
    return password


def _read_password() -> str:
    import sys

    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise InvalidInputError("There is no password on standard input.")
    return password


def _tell(password: str, given: str | None) -> None:
    if given is None:
        say(f"Password, shown this once: {password}")
