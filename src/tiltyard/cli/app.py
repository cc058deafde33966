"""The program `tiltyard`: every module of commands, in the order of the help."""

from tiltyard import __version__
from tiltyard.cli import (
    actuals,
    champion,
    deployments,
    doctor,
    events,
    exec_,
    gateways,
    history,
    images,
    lake,
    ledger,
    live,
    models,
    network,
    package,
    runs,
    tokens,
    up,
    users,
)
from tiltyard.cli.base import app
from tiltyard.cli.output import say

__all__ = ["app", "main"]

MODULES = (
    *(up, doctor, images, network, lake, runs, history, models, deployments, champion, ledger),
    *(package, live, actuals, tokens, users, gateways, events, exec_),
)
"""Importing a module registers its commands."""


@app.command()
def version() -> None:
    """Print the version of this installation.

    Example: tiltyard version
    """
    say(__version__)


def main() -> None:
    """Run the command line."""
    app()
