"""Control goes away while a run is at work, and comes back."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.control import issue_tokens
from support.training import make_pipeline, running
from tiltyard.client.control import ControlClient
from tiltyard.errors import ControlAwayError
from tiltyard.settings import Settings
from tiltyard.training.follow import follow
from tiltyard.types.registry import RunKind, RunRequest, RunState

WRITE = """\
def write(tries=100):
    try:
        tiltyard.write_history("demo", frame, target="y", task="regression")
    except Exception:
        if not tries:
            raise
        time.sleep(0.2)
        write(tries - 1)
write()
"""
CELLS = (
    "import os, time, pathlib, pandas as pd, tiltyard\nprint('begun', flush=True)",
    "while not pathlib.Path(os.environ['TILTYARD_HOME'], 'go').exists(): time.sleep(0.1)",
    "print('ü' * 70_000); print('written', flush=True)",
    "frame = pd.DataFrame({'x': [1.0, 2.0, 3.0], 'y': [1.0, 2.0, 3.0]})",
    WRITE,
)


@dataclass(frozen=True)
class Address:
    """Of a control that is there at times."""

    url: str
    tokens: dict[str, str]


@contextmanager
def control_process(settings: Settings, port: int) -> Iterator[None]:
    """Control as a process, killed at the end."""
    environment = {"TILTYARD_HOME": str(settings.home), "TILTYARD_CONTROL__PORT": str(port)}
    command = [sys.executable, "-m", "tiltyard.control"]
    process = subprocess.Popen(command, env={**os.environ, **environment})
    try:
        yield
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_nothing_is_lost_while_control_is_away(settings: Settings) -> None:
    """The run goes on; its log and outcome are told when control is there again."""
    make_pipeline(settings.pipelines.path, CELLS, step="prepare")
    tokens = issue_tokens(settings)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    request = RunRequest(kind=RunKind.PREPARE, pipeline="demo")
    with ExitStack() as stack, ControlClient(url, tokens["operator"]) as client:
        stack.enter_context(running(settings, Address(url, tokens)))
        with control_process(settings, port):
            _until_answers(client)
            run = client.request_run(request)
            while "begun" not in client.run_log(run.id)[0]:
                time.sleep(0.1)
        (settings.path() / "go").touch()
        _until_printed(settings.path("runs", run.id, "log.txt"))
        with pytest.raises(ControlAwayError):
            follow(client, run.id, poll_s=0.05, away_s=0.3)
        with control_process(settings, port):
            log: list[str] = []
            ended = follow(client, run.id, on_log=log.append, poll_s=0.1)
    assert (ended.state, ended.error, ended.attempt) == (RunState.SUCCEEDED, None, 1)
    assert "".join(log).count("ü") == 70_000
    assert "written" in "".join(log)


def _until_answers(client: ControlClient) -> None:
    for _ in range(300):
        try:
            client.health()
        except ControlAwayError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("control did not start")


def _until_printed(log: Path) -> None:
    for _ in range(300):
        if "written" in log.read_text(errors="replace"):
            return
        time.sleep(0.1)
    pytest.fail("the notebook did not go on")
