"""Notebooks made for tests, and a runner to execute them."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from nbformat import v4, write

from support.control import Control
from tiltyard.settings import Settings
from tiltyard.training.pipelines import Notebook
from tiltyard.training.processes import kill_all
from tiltyard.types.registry import Run, RunRequest

_KERNEL = {
    "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
    "language_info": {"name": "python"},
}


_R_KERNEL = {
    "kernelspec": {"name": "ir", "display_name": "R", "language": "R"},
    "language_info": {"name": "R"},
}


def write_notebook(
    path: Path, cells: Sequence[str], parameters: str = "", *, language: str = "python"
) -> None:
    """Write a notebook; a cell that begins with ``# `` is Markdown."""
    made = [_cell(text) for text in cells]
    if parameters:
        made.insert(0, v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))  # type: ignore[no-untyped-call]
    path.parent.mkdir(parents=True, exist_ok=True)
    notebook = v4.new_notebook(cells=made, metadata=_R_KERNEL if language == "r" else _KERNEL)  # type: ignore[no-untyped-call]
    write(notebook, str(path))  # type: ignore[no-untyped-call]


def make_pipeline(
    root: Path,
    cells: Sequence[str],
    parameters: str = "",
    *,
    step: str = "train",
    language: str = "python",
) -> Notebook:
    """Write a pipeline named ``demo`` with one notebook."""
    path = root / "demo" / f"{step}.ipynb"
    write_notebook(path, cells, parameters, language=language)
    return Notebook("demo", step, path)


def _cell(text: str) -> object:
    if text.startswith("# "):
        return v4.new_markdown_cell(text)  # type: ignore[no-untyped-call]
    return v4.new_code_cell(text)  # type: ignore[no-untyped-call]


class Reachable(Protocol):
    """What a runner needs to know of a control."""

    @property
    def url(self) -> str:
        """Where it listens."""

    @property
    def tokens(self) -> dict[str, str]:
        """One a scope."""


@contextmanager
def running(
    settings: Settings, control: Reachable, **more: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """A runner's process for this control; whatever happens, nothing of it is left."""
    environment = {
        "TILTYARD_HOME": str(settings.home),
        "TILTYARD_PIPELINES__PATH": str(settings.pipelines.path),
        "TILTYARD_CLIENT__URL": control.url,
        "TILTYARD_CLIENT__TOKEN": control.tokens["runner"],
        "TILTYARD_RUNNER__POLL_S": "0.1",
        "TILTYARD_RUNNER__HEARTBEAT_S": "0.3",
        **_containers(settings),
        **more,
    }
    command = [sys.executable, "-m", "tiltyard.training.runner"]
    runner = subprocess.Popen(command, env={**os.environ, **environment}, start_new_session=True)
    try:
        yield runner
    finally:
        runner.kill()
        runner.wait()
        kill_all(settings.path("runs"))


def _containers(settings: Settings) -> dict[str, str]:
    if settings.runtime != "docker":
        return {}
    return {
        "TILTYARD_RUNTIME": "docker",
        "TILTYARD_DOCKER__SUBNET": settings.docker.subnet,
        "TILTYARD_IMAGES__LOCK": str(settings.images_lock),
        "TILTYARD_CONTROL__PORT": str(settings.control.port),
    }


def finish(control: Control, request: RunRequest, timeout_s: float = 120) -> Run:
    """Queue a run and return it when it has ended."""
    client = control.client("operator")
    run = client.request_run(request)
    end = time.monotonic() + timeout_s
    while not run.state.ended:
        assert time.monotonic() < end, f"run {run.id} is {run.state}: {run.progress}"
        time.sleep(0.1)
        run = client.run(run.id)
    return run
