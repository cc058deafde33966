"""The runner's process, with a real control."""

import os
import signal
import time
from collections.abc import Callable

import pytest

from support.control import Control, bikes_frame, write_bikes
from support.training import finish, make_pipeline, running
from tiltyard.settings import Settings
from tiltyard.training.follow import exit_code, follow
from tiltyard.training.processes import members
from tiltyard.types.registry import Run, RunKind, RunRequest, RunState

pytestmark = pytest.mark.slow

PREPARE = """\
import pandas as pd
import tiltyard
frame = pd.DataFrame({"x": [1.0, 2.0, n], "y": [0.5, 1.0, 1.5]})
tiltyard.write_history("demo", frame, target="y", task="regression")
"""
FOREVER = "# Wait\n", "import time\nprint('begun', flush=True)\nwhile True: time.sleep(0.1)"


def prepare(**more: object) -> RunRequest:
    """Ask for the prepare notebook of the pipeline demo."""
    return RunRequest.model_validate({"kind": RunKind.PREPARE, "pipeline": "demo", **more})


def train(**more: object) -> RunRequest:
    """Ask for its train notebook, on the history of bikes."""
    asked = {"kind": RunKind.TRAIN, "pipeline": "demo", "model": "bikes", **more}
    return RunRequest.model_validate(asked)


def test_a_prepare_run_leaves_a_history(settings: Settings, control: Control) -> None:
    """Under the run's own token; cells, log and outcome are told."""
    make_pipeline(
        settings.pipelines.path, ["# Write", "print('n is', n)", PREPARE], "n = 3.0", step="prepare"
    )
    seen: list[Run] = []
    log: list[str] = []
    with running(settings, control):
        client = control.client()
        asked = client.request_run(prepare(parameters={"n": 7}))
        run = follow(client, asked.id, seen.append, log.append, poll_s=0.05)
    assert (run.state, run.error, exit_code(run)) == (RunState.SUCCEEDED, None, 0)
    assert run.history == client.history("demo").digest
    assert (run.progress.done, run.progress.total, run.progress.note) == (5, 5, "Write")
    assert {r.state for r in seen} >= {RunState.RUNNING, RunState.SUCCEEDED}
    assert "n is 7\n" in "".join(log)
    kept = {path.name for path in settings.path("runs", run.id).iterdir()}
    assert kept == {"log.txt", "notebook.ipynb"}


@pytest.mark.parametrize(
    ("request_", "cells", "error"),
    [
        (prepare(), ["1"], "the notebook ended without tiltyard.write_history(...)"),
        (train(), ["1"], "the notebook ended without tiltyard.log_model(...)"),
        (train(), ["1 / 0"], "ZeroDivisionError: division by zero (cell 2"),
        (train(), ["import sys\nsys.exit(0)", "1"], "the notebook exited at cell 2"),
        (train(parameters={"m": 1}), ["1"], "declares no parameter 'm'. It declares: n."),
        (train(parameters={"n": "x"}), ["1"], "Parameter 'n' takes int"),
        (train(model="nobody"), ["1"], "There is no model 'nobody'"),
        (train(pipeline="nope"), ["1"], "There is no pipeline"),
        (
            RunRequest(kind=RunKind.RETRAIN, pipeline="bikes"),
            ["1"],
            "bikes has no champion to retrain",
        ),
    ],
)
def test_a_failed_run_says_why(
    settings: Settings, control: Control, request_: RunRequest, cells: list[str], error: str
) -> None:
    """In a sentence; the scheduler gets a 3."""
    write_bikes(control)
    for step in ("prepare", "train"):
        make_pipeline(settings.pipelines.path, cells, "n = 1", step=step)
    with running(settings, control):
        run = finish(control, request_)
    assert (run.state, exit_code(run)) == (RunState.FAILED, 3)
    assert error in (run.error or "")
    assert members(settings.path("runs")) == []


def test_the_notebook_reads_the_runs_snapshot(settings: Settings, control: Control) -> None:
    """Although a newer history was written meanwhile."""
    digest = write_bikes(control)
    make_pipeline(
        settings.pipelines.path,
        [
            "import tiltyard, time",
            "frame = tiltyard.read_history('bikes')",
            "print('rows:', len(frame), frame.attrs['history_digest'])",
        ],
    )
    with running(settings, control):
        asked = control.client().request_run(train())
        _wait_for(lambda: control.client().run(asked.id).progress.total > 0)
        write_bikes(control, bikes_frame(9))
        run = follow(control.client(), asked.id, poll_s=0.1)
    text, _ = control.client().run_log(run.id)
    assert f"rows: 6 {digest}" in text


def test_a_time_out_ends_a_run(settings: Settings, control: Control) -> None:
    """The scheduler gets a 4."""
    make_pipeline(settings.pipelines.path, FOREVER, step="prepare")
    with running(settings, control):
        run = finish(control, prepare(timeout_s=5))
    assert (run.error, exit_code(run)) == ("timed out after 5 s", 4)
    assert members(settings.path("runs")) == []


def test_a_cancelled_run_is_killed(settings: Settings, control: Control) -> None:
    """And the runner takes the next one."""
    make_pipeline(settings.pipelines.path, FOREVER, step="prepare")
    with running(settings, control):
        run = _begun(control, prepare())
        control.client().cancel_run(run.id)
        ended = follow(control.client(), run.id, poll_s=0.1)
        assert (ended.state, exit_code(ended)) == (RunState.CANCELLED, 3)
        assert members(settings.path("runs")) == []
        make_pipeline(settings.pipelines.path, [PREPARE], "n = 1.0", step="prepare")
        assert finish(control, prepare()).state is RunState.SUCCEEDED


def test_a_failed_run_is_tried_again(settings: Settings, control: Control) -> None:
    """As often as it may; each attempt begins in a clean folder."""
    mark = settings.home / "tried"
    cell = f"import pathlib\np = pathlib.Path({str(mark)!r})\nif not p.exists(): p.touch(); 1 / 0"
    make_pipeline(settings.pipelines.path, [cell, PREPARE], "n = 1.0", step="prepare")
    with running(settings, control):
        run = finish(control, prepare(retries=1))
    assert (run.state, run.attempt) == (RunState.SUCCEEDED, 2)


def test_sigterm_ends_the_runner_and_its_run(settings: Settings, control: Control) -> None:
    """Within its grace; the run is told as failed and nothing of it is left."""
    make_pipeline(settings.pipelines.path, FOREVER, step="prepare")
    with running(settings, control) as runner:
        run = _begun(control, prepare())
        runner.send_signal(signal.SIGTERM)
        assert runner.wait(5) == 0
        assert members(settings.path("runs")) == []
    ended = control.client().run(run.id)
    assert (ended.state, ended.error) == (RunState.FAILED, "the runner was stopped")


def test_a_killed_runners_run_is_given_up(settings: Settings, control: Control) -> None:
    """No process of it is left, and the next runner carries on with its second try."""
    path = settings.pipelines.path
    make_pipeline(path, FOREVER, step="prepare")
    short = {"TILTYARD_RUNNER__LOST_AFTER_S": "2"}
    with running(settings, control, **short) as runner:
        run = _begun(control, prepare(retries=1))
        os.kill(runner.pid, signal.SIGKILL)
        _wait_for(lambda: members(settings.path("runs")) == [])
    make_pipeline(path, [PREPARE], "n = 1.0", step="prepare")
    with running(settings, control, **short):
        ended = follow(control.client(), run.id, poll_s=0.1)
    assert (ended.state, ended.attempt) == (RunState.SUCCEEDED, 2)


def test_a_second_runner_of_a_home_is_refused(settings: Settings, control: Control) -> None:
    """It would take the first one's processes for left over."""
    with running(settings, control):
        lock = settings.path("runs", "runner.lock")
        _wait_for(lock.exists)
        with running(settings, control) as second:
            assert second.wait(30) == 3


def _begun(control: Control, request: RunRequest) -> Run:
    run = control.client().request_run(request)
    _wait_for(lambda: "begun" in control.client().run_log(run.id)[0])
    return run


def _wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)
