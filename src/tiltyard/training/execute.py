"""Executes a notebook in a place, and leaves nothing running there."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tiltyard.artifacts.disk import room_on
from tiltyard.errors import InvalidInputError
from tiltyard.training.folder import RunFolder, read_plain
from tiltyard.training.follow import TIMED_OUT
from tiltyard.training.job import Job
from tiltyard.training.pipelines import Notebook, parse_notebook
from tiltyard.training.place import Child, End, Place
from tiltyard.training.watch import Watch
from tiltyard.types.registry import RunProgress

CANCELLED = "cancelled"

MOST_NOTEBOOK_BYTES = 100_000_000
"""An executed notebook larger than this is not kept."""


@dataclass(frozen=True)
class Outcome:
    """How an execution ended; no error means that every cell ran."""

    error: str | None = None
    progress: RunProgress = field(default_factory=RunProgress)


def execute(
    place: Place,
    notebook: Notebook,
    parameters: Mapping[str, Any],
    folder: RunFolder,
    *,
    environment: Mapping[str, str],
    timeout_s: float,
    on_progress: Callable[[RunProgress], None] = lambda _: None,
    stopped: Callable[[], str | None] = lambda: None,
    poll_s: float = 0.1,
) -> Outcome:
    """Execute a notebook to its end, or to its time-out, or until it is stopped.

    Whatever happens, no process of it is left when this returns.

    Args:
        place: where.
        notebook: of a pipeline; its folder is copied into the run's.
        parameters: checked ones.
        folder: of the run; an earlier attempt's results are removed.
        environment: added to that of the place.
        timeout_s: seconds.
        on_progress: is told each change.
        stopped: says why to stop now, or None.
        poll_s: seconds between two looks.

    Raises:
        TiltyardError: nothing can be executed there, saying what to do.
    """
    folder.prepare(notebook.path)
    job = Job(
        source=str(folder.work / notebook.path.name),
        output=str(folder.private / "notebook.ipynb"),
        progress=str(folder.private / "progress.jsonl"),
        parameters=dict(parameters),
    )
    watch = Watch(Path(job.progress), on_progress)
    with place.start(job, folder, environment) as child:
        error = _wait(child, watch, time.monotonic() + timeout_s, stopped, poll_s)
        end = None if error else child.end()
    watch.look()
    _keep_notebook(Path(job.output), folder.notebook)
    if error == TIMED_OUT:
        error = f"{TIMED_OUT} {timeout_s:g} s"
    return Outcome(error or _failure(watch, end), watch.progress)


def _failure(watch: Watch, end: End | None) -> str | None:
    if end is None:
        return None
    error = watch.error(end.code)
    return f"{end.reason}: {error}" if error and end.reason else error


def _wait(
    child: Child,
    watch: Watch,
    deadline: float,
    stopped: Callable[[], str | None],
    poll_s: float,
) -> str | None:
    while not child.wait(poll_s):
        watch.look()
        if reason := stopped() or child.trouble():
            return reason
        if time.monotonic() > deadline:
            return TIMED_OUT
    return None


def _keep_notebook(written: Path, kept: Path) -> None:
    """Keep what papermill wrote if it is whole: a kill may have torn it."""
    try:
        content = read_plain(written, MOST_NOTEBOOK_BYTES)
        parse_notebook(content.decode(), str(written))
    except (FileNotFoundError, UnicodeDecodeError, InvalidInputError):
        return
    with room_on(kept.parent), kept.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
