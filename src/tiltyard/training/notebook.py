"""The child process of a run: executes one notebook with papermill.

``python -m tiltyard.training.notebook <job.json> <fd>``, where fd is the read end of a pipe from
the runner, or standard input in a container: when it closes, the runner is gone, and every process
of the run is killed.
"""

import json
import os
import re
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError
from papermill.execute import execute_notebook
from papermill.translators import papermill_translators
from traitlets.config import Config

from tiltyard.training.job import Job
from tiltyard.training.pipelines import R_KERNEL, read_notebook
from tiltyard.training.processes import RUN_DIR, kill_all
from tiltyard.training.r_code import RTranslator

LOG_BYTES = 20_000_000
"""What a notebook prints beyond this is dropped."""

_TRACEBACK_LINES = 12
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_HEADING = re.compile(r"^#{1,6}\s+(.+)$", re.MULTILINE)


class Progress:
    """Tells which cell is at work; a hook of nbclient's client."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._done = 0
        self._total = 0
        self._note = ""

    def begin(self, notebook: Any) -> None:
        """Learn how many cells there are."""
        self._total = len(notebook.cells)
        self.tell()

    def cell_start(self, cell: Any, cell_index: int) -> None:
        """Note the heading of the cell at work; papermill adds a cell for parameters."""
        self._done = cell_index
        self._total = max(self._total, cell_index + 1)
        if cell.cell_type == "markdown" and (heading := _HEADING.search(cell.source)):
            self._note = heading.group(1).strip()
        self.tell()

    def finish(self, notebook: Any) -> None:
        """All cells have run."""
        self._done = self._total = len(notebook.cells)
        self.tell()

    def tell(self, **more: Any) -> None:
        """Append a line."""
        line = {"done": self._done, "total": self._total, "note": self._note, **more}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def place(self) -> str:
        """Return where the notebook is, for a message."""
        return f"cell {self._done + 1}" + (f", “{self._note}”" if self._note else "")


class ExitedError(Exception):
    """A cell has asked for the end."""


def refuse_exit(cell: Any, cell_index: int, execute_reply: Any) -> None:
    """End at a cell that quits, as R's may: its kernel lives on and would run the cells after it.

    A hook of nbclient's client.
    """
    payload = execute_reply.get("content", {}).get("payload", ())
    if any(one.get("source") == "ask_exit" and not one.get("keepkernel") for one in payload):
        raise ExitedError


class LimitedLog:
    """Stands before a stream and drops what comes after the limit."""

    def __init__(self, stream: TextIO, limit: int) -> None:
        self._stream = stream
        self._left = limit

    def write(self, text: str) -> None:
        """Write what still fits."""
        if self._left <= 0:
            return
        self._stream.write(text[: self._left])
        self._left -= len(text)
        if self._left <= 0:
            self._stream.write("\n… the log is full, the rest is dropped\n")

    def flush(self) -> None:
        """Flush the stream."""
        self._stream.flush()


def main() -> None:
    """Execute the job; the last line of progress says how it ended."""
    # Applications wait for the gateway and its scorers; nobody waits that way for a notebook.
    os.nice(5)
    # Where R's verbs find Python, and R its letters.
    os.environ.setdefault("TILTYARD_PYTHON", sys.executable)
    os.environ.setdefault("LANG", "C.UTF-8")
    job = Job.read(Path(sys.argv[1]))
    lifeline = _lifeline(int(sys.argv[2]))
    threading.Thread(target=_die_with_runner, args=(lifeline,), daemon=True).start()
    with Path(job.progress).open("a", encoding="utf-8") as file:
        progress = Progress(file)
        error = _execute(job, progress)
        progress.tell(ended=True, error=error)


def _execute(job: Job, progress: Progress) -> str | None:
    """Return why it failed, or None."""
    try:
        notebook = _papermill(job, progress)
    except PapermillExecutionError as error:
        return _raised(error, progress)
    except ExitedError:
        return f"the notebook exited at {progress.place()}: the cells after it never ran"
    except DeadKernelError:
        return f"the kernel died at {progress.place()}: it was killed or ran out of memory"
    # Whatever else papermill or the kernel's start raises ends this run, not the runner.
    except Exception as error:
        return f"papermill: {type(error).__name__}: {error}"
    skipped = _first_not_executed(notebook)
    if skipped is not None:
        return f"the notebook exited at {progress.place()}: the cells after it never ran"
    progress.finish(notebook)
    return None


def _papermill(job: Job, progress: Progress) -> Any:
    notebook = read_notebook(Path(job.source))
    for name in ("R", R_KERNEL):
        papermill_translators.register(name, RTranslator)
    progress.begin(notebook)
    output = LimitedLog(sys.stdout, LOG_BYTES)
    return execute_notebook(
        notebook,
        # papermill formats its paths.
        job.output.replace("{", "{{").replace("}", "}}"),
        parameters=job.parameters,
        progress_bar=False,
        stdout_file=output,
        stderr_file=output,
        cwd=str(Path(job.source).parent),
        on_cell_start=progress.cell_start,
        on_cell_executed=refuse_exit,
        config=Config(KernelManager={"transport_encryption": "auto"}),
    )


def _raised(error: Any, progress: Progress) -> str:
    lines = _ANSI.sub("", "\n".join(error.traceback)).splitlines()
    print("\n".join(lines), file=sys.stderr, flush=True)
    message = f"{error.ename}: {error.evalue}" if error.evalue else str(error.ename)
    # R's messages say themselves that they are errors, and where.
    message = message.removeprefix("ERROR: ").strip()
    return "\n".join([f"{message} ({progress.place()})", *lines[-_TRACEBACK_LINES:]])


def _first_not_executed(notebook: Any) -> int | None:
    for index, cell in enumerate(notebook.cells):
        skipped = "skip-execution" in cell.metadata.get("tags", [])
        if cell.cell_type == "code" and cell.source.strip() and not skipped:
            failed = cell.metadata.get("papermill", {}).get("status") == "failed"
            if failed or cell.execution_count is None:
                return index
    return None


def _lifeline(number: int) -> int:
    """Keep it from the kernel: what a notebook reads as its standard input is empty."""
    if number != sys.stdin.fileno():
        return number
    kept = os.dup(number)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, number)
    os.close(nothing)
    return kept


def _die_with_runner(lifeline: int) -> None:
    os.read(lifeline, 1)
    kill_all(Path(os.environ[RUN_DIR]))
    os._exit(1)


if __name__ == "__main__":
    main()
