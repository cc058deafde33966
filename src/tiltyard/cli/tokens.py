"""`tiltyard token`."""

from typing import Annotated

import typer

from tiltyard.cli.base import group
from tiltyard.cli.output import done, print_json, print_table, say
from tiltyard.cli.session import JsonOption, control

commands = group("token", "Tokens of applications.")


@commands.command()
def create(
    name: Annotated[str, typer.Argument(help="Of the application.")],
    models: Annotated[list[str], typer.Argument(help="Models it may call.")],
    json: JsonOption = False,
) -> None:
    """Make an application's token and print it; it is shown this once.

    Example: tiltyard token create shop bikeshare
    """
    with control() as client:
        issued = client.issue_token(name, models)
    if json:
        print_json(issued)
    else:
        say(issued.token)


@commands.command("list")
def list_(json: JsonOption = False) -> None:
    """List tokens.

    Example: tiltyard token list
    """
    with control() as client:
        found = client.tokens()
    if json:
        print_json(found)
        return
    rows = (
        (t.id, t.name, ", ".join(t.models or t.scopes or ()), t.created_at, t.created_by)
        for t in found
    )
    print_table(("id", "name", "for", "made", "by"), rows, "There are no tokens.")


@commands.command()
def revoke(token: Annotated[str, typer.Argument(help="Id of the token.")]) -> None:
    """Revoke a token.

    Example: tiltyard token revoke 3f2a9c
    """
    with control() as client:
        client.revoke_token(token)
    done(f"Token {token} is revoked.")
