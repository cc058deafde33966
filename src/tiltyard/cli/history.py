"""`tiltyard history`."""

from tiltyard.cli.base import app
from tiltyard.cli.output import print_json, print_table
from tiltyard.cli.session import JsonOption, ModelArgument, control


@app.command()
def history(model: ModelArgument, json: JsonOption = False) -> None:
    """Tell of a model's latest history.

    Example: tiltyard history bikeshare
    """
    with control() as client:
        found = client.history(model)
    if json:
        print_json(found)
        return
    rows = (
        ("digest", found.digest),
        ("rows", f"{found.rows:,}"),
        ("columns", ", ".join(found.columns)),
        ("from", found.event_start),
        ("to", found.event_end),
        ("written", found.created_at),
        ("by", found.created_by),
    )
    print_table(("", model), rows, "")
