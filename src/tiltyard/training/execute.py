"""Executes a notebook in processes of its own, and leaves none of them behind."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tiltyard.errors import InvalidInputError
from tiltyard.training.follow import TIMED_OUT
from tiltyard.training.job import Job
from tiltyard.training.pipelines import Notebook, read_notebook
from tiltyard.training.processes import RUN_DIR, kill_all
from tiltyard.types.registry import RunProgress

CANCELLED = "cancelled"


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run; see docs/architecture.md, "Runs"."""

    path: Path

    @property
    def out(self) -> Path:
        """What the notebook leaves: ``TILTYARD_RUN_DIR``."""
        return self.path / "out"

    @property
    def work(self) -> Path:
        """The run's own copy of the pipeline's folder."""
        return self.path / "work"

    @property
    def log(self) -> Path:
        """All that the notebook and its processes print."""
        return self.path / "log.txt"

    @property
    def notebook(self) -> Path:
        """The executed notebook, whole."""
        return self.path / "notebook.ipynb"

    def prepare(self, pipeline: Path) -> None:
        """Begin anew: what an earlier attempt left is removed, the log goes on."""
        for folder in (self.out, self.work, self.path / "private"):
            shutil.rmtree(folder, ignore_errors=True)
        self.notebook.unlink(missing_ok=True)
        self.out.mkdir(parents=True)
        self.log.touch()
        shutil.copytree(pipeline, self.work, ignore=_UNWANTED)
        (self.path / "private").mkdir(mode=0o700)


_UNWANTED = shutil.ignore_patterns("__pycache__", ".*")


@dataclass(frozen=True)
class Outcome:
    """How an execution ended; no error means that every cell ran."""

    error: str | None = None
    progress: RunProgress = field(default_factory=RunProgress)


def execute(
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
        notebook: of a pipeline; its folder is copied into the run's.
        parameters: checked ones.
        folder: of the run; an earlier attempt's results are removed.
        environment: added to this process's environment.
        timeout_s: seconds.
        on_progress: is told each change.
        stopped: says why to stop now, or None.
        poll_s: seconds between two looks.
    """
    folder.prepare(notebook.path.parent)
    job = Job(
        source=str(folder.work / notebook.path.name),
        output=str(folder.path / "private" / "notebook.ipynb"),
        progress=str(folder.path / "private" / "progress.jsonl"),
        parameters=dict(parameters),
    )
    watch = _Watch(Path(job.progress), on_progress)
    with _child(job, folder, environment) as child:
        error = _wait(child, watch, time.monotonic() + timeout_s, stopped, poll_s)
    watch.look()
    _keep_notebook(Path(job.output), folder.notebook)
    if error == TIMED_OUT:
        error = f"{TIMED_OUT} {timeout_s:g} s"
    return Outcome(error or watch.error(child.returncode), watch.progress)


class _Watch:
    """Reads the child's lines of progress."""

    def __init__(self, path: Path, on_progress: Callable[[RunProgress], None]) -> None:
        self.progress = RunProgress()
        self._path = path
        self._on_progress = on_progress
        self._offset = 0
        self._last: dict[str, Any] = {}

    def look(self) -> None:
        """Read on, and tell of a change."""
        with contextlib.suppress(FileNotFoundError), self._path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if line.endswith(b"\n"):
                    self._offset += len(line)
                    self._last = json.loads(line)
        told = {name: self._last[name] for name in ("done", "total", "note") if name in self._last}
        if (progress := RunProgress(**told)) != self.progress:
            self.progress = progress
            self._on_progress(progress)

    def error(self, code: int) -> str | None:
        """Return why the notebook failed, after the child's end."""
        if not self._last.get("ended"):
            return f"the notebook's process died (exit code {code}); the log may say why"
        error: str | None = self._last["error"]
        return error


@contextlib.contextmanager
def _child(
    job: Job, folder: RunFolder, environment: Mapping[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    private = Path(job.progress).parent
    job.write(private / "job.json")
    lifeline, held = os.pipe()
    child = None
    try:
        with folder.log.open("ab") as log:
            child = subprocess.Popen(  # noqa: S603  our own module, paths of our own
                [
                    sys.executable,
                    "-m",
                    __package__ + ".notebook",
                    private / "job.json",
                    str(lifeline),
                ],
                cwd=folder.work,
                env={**os.environ, **environment, **_environment(folder, private)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[lifeline],
                start_new_session=True,
            )
        yield child
    finally:
        kill_all(folder.out, None if child is None else child.pid)
        if child is not None:
            child.wait()
        os.close(lifeline)
        os.close(held)


def _environment(folder: RunFolder, private: Path) -> dict[str, str]:
    return {
        RUN_DIR: str(folder.out),
        # Connection files and profiles of one run are nobody else's.
        "JUPYTER_RUNTIME_DIR": str(private / "jupyter"),
        "IPYTHONDIR": str(private / "ipython"),
        "MPLBACKEND": "Agg",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        # The debugger's notice is no part of a run's log.
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


def _wait(
    child: "subprocess.Popen[bytes]",
    watch: _Watch,
    deadline: float,
    stopped: Callable[[], str | None],
    poll_s: float,
) -> str | None:
    while True:
        try:
            child.wait(poll_s)
        except subprocess.TimeoutExpired:
            watch.look()
        else:
            return None
        if reason := stopped():
            return reason
        if time.monotonic() > deadline:
            return TIMED_OUT


def _keep_notebook(written: Path, kept: Path) -> None:
    """Keep what papermill wrote if it is whole: a kill may have torn it."""
    try:
        read_notebook(written)
    except InvalidInputError:
        return
    with written.open("rb") as file:
        os.fsync(file.fileno())
    written.replace(kept)
