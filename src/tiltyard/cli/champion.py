"""`tiltyard promote` and `rollback`."""

from typing import TYPE_CHECKING, Annotated

import typer

from tiltyard.cli.base import app
from tiltyard.cli.output import complain, done
from tiltyard.cli.session import ModelArgument, VersionArgument, control

if TYPE_CHECKING:
    from tiltyard.types.registry import Promotion

ReasonOption = Annotated[str, typer.Option(help="Why; the ledger keeps it.")]


@app.command()
def promote(
    model: ModelArgument,
    version: VersionArgument,
    reason: ReasonOption,
    expect: Annotated[
        int | None,
        typer.Option(help="Who must be champion now, 0 for nobody; default: whoever is.", min=0),
    ] = None,
) -> None:
    """Make a deployed version champion.

    Example: tiltyard promote bikeshare 2 --expect 1 --reason "half the error since April"
    """
    with control() as client:
        expected = client.model(model).champion if expect is None else (expect or None)
        tell_promotion(client.promote(model, version, expected, reason))


@app.command()
def rollback(model: ModelArgument, reason: ReasonOption) -> None:
    """Make the champion before this one champion again.

    Example: tiltyard rollback bikeshare --reason "errors at night"
    """
    with control() as client:
        tell_promotion(client.rollback(model, reason))


def tell_promotion(promotion: "Promotion") -> None:
    """Say who answers now, and which gateways have not said so yet."""
    entry = promotion.entry
    before = f"version {entry.from_version}" if entry.from_version else "nobody"
    done(f"{entry.model}: version {entry.to_version} is champion, after {before}.")
    if promotion.waiting_for:
        complain(
            f"Not confirmed yet by {', '.join(promotion.waiting_for)}: until then it may answer "
            "with the old champion. `tiltyard gateway remove` unregisters one that is gone."
        )
