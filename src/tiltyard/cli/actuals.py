"""`tiltyard predict` and `actuals`: what an application does, by hand."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tiltyard.cli.base import app
from tiltyard.cli.output import done, print_json
from tiltyard.cli.session import ModelArgument, read_json
from tiltyard.errors import InvalidInputError

FileArgument = Annotated[Path, typer.Argument(help="JSON file; - is standard input.")]


@app.command()
def predict(model: ModelArgument, rows: FileArgument) -> None:
    """Ask the champion through the gateway; the calls are logged as any other.

    Example: echo '[{"hour": 8}]' | tiltyard predict bikeshare -
    """
    asked = _records(read_json(rows), "rows")
    from tiltyard.client.verbs import predict_model

    print_json(predict_model(model, asked).to_dict("records"))


@app.command()
def actuals(model: ModelArgument, values: FileArgument) -> None:
    """Send the ground truth of earlier predictions: id, value, perhaps known_at.

    Example: echo '[{"id": "…", "value": 16}]' | tiltyard actuals bikeshare -
    """
    sent = _records(read_json(values), "actuals")
    from tiltyard.client.verbs import send_actuals

    done(f"{send_actuals(model, sent):,} actuals are accepted.")


def _records(content: Any, name: str) -> list[dict[str, Any]]:
    """Return a list of objects, bare or under its name, as a call of the gateway holds it."""
    records = content.get(name) if isinstance(content, dict) else content
    if not isinstance(records, list) or not all(isinstance(r, dict) for r in records):
        raise InvalidInputError(f"Give a JSON list of objects, or {{{name!r}: […]}}.")
    return records
