"""A run's progress by cells, on a terminal or in a log file."""

from collections.abc import Callable

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from tiltyard.cli.output import errors
from tiltyard.client.control import ControlClient
from tiltyard.training.follow import follow
from tiltyard.types.registry import Run


def follow_run(client: ControlClient, run: Run, *, log: bool, quiet: bool) -> Run:
    """Return a run when it has ended, showing how it goes on stderr unless ``quiet``."""
    if quiet:
        return follow(client, run.id)
    if not errors.is_terminal:
        return follow(client, run.id, _lines(), _print_log if log else None)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=errors,
    ) as progress:
        task = progress.add_task(f"run {run.id}", total=None)

        def show(now: Run) -> None:
            note = now.progress.note or str(now.state)
            progress.update(
                task,
                description=f"run {now.id} {note}",
                completed=now.progress.done,
                total=now.progress.total or None,
            )

        return follow(client, run.id, show, _print_log if log else None)


def _lines() -> Callable[[Run], None]:
    """Return what prints a line for each change that a reader of a log file wants."""
    told: set[tuple[object, ...]] = set()

    def show(now: Run) -> None:
        key = (now.state, now.attempt, now.progress)
        if key not in told:
            told.add(key)
            progress = now.progress
            cells = f" cell {progress.done}/{progress.total}" if progress.total else ""
            note = f": {progress.note}" if progress.note else ""
            errors.print(Text(f"run {now.id} {now.state}{cells}{note}"))

    return show


def _print_log(text: str) -> None:
    errors.print(Text(text.rstrip("\n")))
