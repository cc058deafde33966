"""`tiltyard lake`."""

from pathlib import Path
from typing import Annotated

import typer

from tiltyard.cli.base import group
from tiltyard.cli.output import done, print_table
from tiltyard.cli.session import JsonOption

commands = group("lake", "Load and read the data lake.")


@commands.command()
def load(
    source: Annotated[
        Path | None,
        typer.Argument(help="A CSV file or a folder of them; default: data/ of the pipelines."),
    ] = None,
) -> None:
    """Load CSV files into the embedded lake, a table for each file.

    Example: tiltyard lake load pipelines/data
    """
    from tiltyard.lake import load_csv, load_folder
    from tiltyard.settings import load_settings

    settings = load_settings()
    source = source or settings.pipelines.path / "data"
    if source.is_file():
        table = source.name.split(".")[0]
        loaded = {table: load_csv(settings.lake_url, table, source)}
    else:
        loaded = load_folder(settings.lake_url, source)
    for name, rows in loaded.items():
        done(f"{name}: {rows:,} rows")


@commands.command()
def query(
    sql: Annotated[str, typer.Argument(help="One SELECT.")], json: JsonOption = False
) -> None:
    """Print the first rows of a query of the lake.

    Example: tiltyard lake query "SELECT count(*) AS n FROM bikeshare"
    """
    import json as json_

    from tiltyard.cli.output import print_json
    from tiltyard.lake import read_lake

    rows = read_lake(sql).head(100)
    if json:
        print_json(json_.loads(rows.to_json(orient="records", date_format="iso")))
    else:
        print_table([str(c) for c in rows.columns], rows.to_numpy().tolist(), "No rows.")
