"""What the demo shows."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

console = Console(highlight=False, soft_wrap=True)


class StepFailedError(Exception):
    """A step did not come out as it must; the demo ends with exit code 1."""


def chapter(title: str) -> None:
    """Print a heading."""
    console.print()
    console.print(Text(title, style="bold"))


def command(words: Iterable[str]) -> None:
    """Print a command that is about to be run."""
    console.print(Text(f"  $ {' '.join(words)}", style="cyan"))


def note(text: str) -> None:
    """Print a remark."""
    console.print(Text(f"  {text}", style="dim"))


def check(holds: object, what: str) -> None:
    """Print a step that came out, or end the demo.

    Raises:
        StepFailedError: it did not.
    """
    if not holds:
        raise StepFailedError(what)
    console.print(Text.assemble(("  ✓ ", "green"), what))


def failed(what: str) -> None:
    """Print why the demo ends."""
    console.print(Text.assemble(("✗ ", "red"), (what, "red")))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: bool = True) -> None:
    """Print a small table; the columns behind the first are numbers, unless not ``right``."""
    shown = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2))
    for number, column in enumerate(columns):
        shown.add_column(column, justify="right" if number and right else "left")
    for row in rows:
        shown.add_row(*(Text(_cell(value)) for value in row))
    console.print(shown)


def _cell(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
