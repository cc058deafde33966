"""`tiltyard gateway`."""

from typing import Annotated

import typer

from tiltyard.cli.base import group
from tiltyard.cli.output import done, print_json, print_table
from tiltyard.cli.session import JsonOption, control

commands = group("gateway", "Registered gateways.")


@commands.command("list")
def list_(json: JsonOption = False) -> None:
    """List gateways.

    Example: tiltyard gateway list
    """
    with control() as client:
        found = client.gateways()
    if json:
        print_json(found)
        return
    rows = ((g.name, g.number, g.url, g.confirmed_route, g.seen_at) for g in found)
    headings = ("name", "number", "url", "confirmed route", "seen")
    print_table(headings, rows, "No gateway is registered.")


@commands.command()
def remove(name: Annotated[str, typer.Argument(help="Of the gateway.")]) -> None:
    """Unregister a gateway that is gone, so that promotions wait for it no more.

    Example: tiltyard gateway remove gateway
    """
    with control() as client:
        client.remove_gateway(name)
    done(f"Gateway {name} is removed.")
