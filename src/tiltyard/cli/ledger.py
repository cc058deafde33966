"""`tiltyard ledger`."""

from typing import TYPE_CHECKING, Annotated

import typer

from tiltyard.cli.base import group
from tiltyard.cli.output import complain, done, print_json, print_table, say
from tiltyard.cli.session import JsonOption, ModelArgument, control

if TYPE_CHECKING:
    from tiltyard.settings import Settings
    from tiltyard.types.registry import LedgerHead

commands = group("ledger", "Who made what champion, when and why.")


@commands.command()
def show(model: ModelArgument, json: JsonOption = False) -> None:
    """Print a model's ledger.

    Example: tiltyard ledger show bikeshare
    """
    with control() as client:
        entries = client.ledger(model)
    if json:
        print_json(entries)
        return
    rows = (
        (e.number, e.at, e.who, e.action, e.from_version, e.to_version, e.reason, e.hash[:12])
        for e in entries
    )
    headings = ("number", "at", "who", "action", "from", "to", "reason", "hash")
    print_table(headings, rows, f"{model} never had a champion.")


@commands.command()
def verify(
    model: Annotated[str | None, typer.Argument(help="Name of a model; default: all.")] = None,
) -> None:
    """Find edited, removed and cut entries; opens the registry itself. Exits 1 when it does.

    Example: tiltyard ledger verify bikeshare
    """
    from tiltyard.settings import load_settings

    faults, models = find_faults(load_settings(), model)
    for fault in faults:
        complain(fault)
    if faults:
        raise typer.Exit(1)
    if models:
        done(f"Whole: {', '.join(models)}.")
    else:
        say("There are no models, so there is no ledger.")


def find_faults(settings: "Settings", model: str | None = None) -> tuple[list[str], list[str]]:
    """Return what is wrong with the ledgers, and the models that were looked at."""
    from tiltyard.registry import open_registry

    routes = _kept_heads(settings)
    with open_registry(settings.registry_url) as registry:
        known = {m.name for m in registry.models.list()} | set(routes)
        models = sorted(known) if model is None else [model]
        faults = [
            fault
            for name in models
            for fault in registry.champions.verify(
                name, [*registry.gateways.heads(name), *routes.get(name, [])]
            )
        ]
    return faults, models


def _kept_heads(settings: "Settings") -> "dict[str, list[LedgerHead]]":
    """Return the heads in the route table that the gateway keeps on its disk."""
    from pydantic import ValidationError

    from tiltyard.types.routes import RouteTable

    try:
        table = RouteTable.model_validate_json(settings.path("routes.json").read_bytes())
    except (OSError, ValidationError):
        return {}
    return {route.name: [route.ledger] for route in table.models}
