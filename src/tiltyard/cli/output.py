"""What commands print: sentences, tables, JSON."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def say(message: str, style: str | None = None) -> None:
    """Print a sentence as it is, without markup."""
    console.print(Text(message, style=style or ""))


def complain(message: str) -> None:
    """Print an error's sentence in red on stderr."""
    errors.print(Text(message, style="red"))


def done(message: str) -> None:
    """Print what has come out."""
    console.print(Text.assemble(("✓ ", "green"), message))


def print_json(value: Any) -> None:
    """Print a value, or documents, as JSON on stdout."""
    json.dump(plain(value), sys.stdout, indent=2, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")


def plain(value: Any) -> Any:
    """Return a JSON-able value; documents are dumped, NaN is null."""
    if hasattr(value, "model_dump"):
        return plain(value.model_dump(mode="json"))
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and value != value else value  # noqa: PLR0124  NaN


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], empty: str) -> None:
    """Print rows below their headings, or a sentence when there are none."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(Text(cell(value)) for value in row))
    if table.row_count:
        console.print(table)
    else:
        say(empty)


def cell(value: Any) -> str:
    """Return how a table shows a value."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"  # noqa: PLR2004  readable
    return str(value)
