"""`tiltyard events`."""

import json as json_
import queue
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from tiltyard.cli.base import app
from tiltyard.cli.output import plain, say
from tiltyard.cli.session import control
from tiltyard.errors import TiltyardError

if TYPE_CHECKING:
    from tiltyard.client.control import ControlClient
    from tiltyard.types.registry import Event

SILENCE_S = 1.0
"""The stream has no end; without --follow it is over when it is silent for so long."""


@app.command()
def events(
    follow: Annotated[bool, typer.Option("--follow", help="Go on until Ctrl-C.")] = False,
    after: Annotated[int, typer.Option(help="Only those after this id.", min=0)] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,
) -> None:
    """Print what happened: versions, deployments, promotions, runs.

    Example: tiltyard events --follow
    """
    with control() as client:
        for event in _stream(client, after, follow=follow):
            if json:
                typer.echo(json_.dumps(plain(event)))
            else:
                data = " ".join(f"{name}={value}" for name, value in event.data.items())
                at = event.at.strftime("%Y-%m-%d %H:%M:%S")
                say(f"{event.id:>6} {at} {event.kind} {event.model or ''} {data}".rstrip())


def _stream(client: "ControlClient", after: int, *, follow: bool) -> Iterator["Event"]:
    if follow:
        yield from client.events(after)
        return
    found: queue.Queue[Event | TiltyardError] = queue.Queue()
    # Its connection is cut when the command ends.
    threading.Thread(target=_read, args=(client, after, found), daemon=True).start()
    while True:
        try:
            event = found.get(timeout=SILENCE_S)
        except queue.Empty:
            return
        if isinstance(event, TiltyardError):
            raise event
        yield event


def _read(client: "ControlClient", after: int, found: "queue.Queue[Event | TiltyardError]") -> None:
    try:
        for event in client.events(after):
            found.put(event)
    except TiltyardError as error:
        found.put(error)
