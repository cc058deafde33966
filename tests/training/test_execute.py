"""Executing notebooks with papermill: how they end, and that nothing of them is left."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import nbformat
import psutil
import pytest

from support.training import make_pipeline
from tiltyard.settings import Settings
from tiltyard.training.execute import CANCELLED, Outcome, execute
from tiltyard.training.folder import RunFolder
from tiltyard.training.place import Place
from tiltyard.training.places import place_of
from tiltyard.training.processes import RUN_DIR, kill_all, members
from tiltyard.types.registry import RunProgress

pytestmark = pytest.mark.slow

UNSTOPPABLE = """\
import os, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
open(os.environ["TILTYARD_RUN_DIR"] + "/started", "w").close()
while True:
    pass
"""


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run's folder whose name would be a format string to papermill."""
    return RunFolder(tmp_path / "run {x} ü")


@pytest.fixture(params=["process", "docker"])
def settings(request: pytest.FixtureRequest) -> Settings:
    """One of each kind that claims to execute notebooks."""
    if request.param == "docker":
        found: Settings = request.getfixturevalue("docker_settings")
        return found
    return Settings()


@pytest.fixture
def place(settings: Settings) -> Place:
    """Where a test's notebook is executed."""
    return place_of(settings)


def run(place: Place, folder: RunFolder, cells: Sequence[str], timeout_s: float = 60) -> Outcome:
    """Execute a notebook of these cells."""
    notebook = make_pipeline(folder.path.parent / "pipelines", cells)
    return execute(place, notebook, {}, folder, environment={}, timeout_s=timeout_s)


def test_parameters_survive_and_helpers_are_beside(
    tmp_path: Path, folder: RunFolder, place: Place
) -> None:
    """Each value arrives as it was given; the work is done in a copy; standard input is closed."""
    given = {
        "text": 'Wälder “x”\n\\ {n} "q" \U0001f332',
        "whole": 2**70,
        "part": 0.1 + 0.2,
        "tiny": 5e-324,
        "yes": True,
        "none": None,
        "many": ["a", 1, None, [2.5]],
        "named": {"k": {"é": False}},
    }
    cells = [
        "# Look",
        "import json, os, sys\nfrom pathlib import Path\nimport helper",
        "# Leave",
        f"out = {{name: globals()[name] for name in {list(given)}}}",
        "out['helper'], out['stdin'] = helper.ANSWER, sys.stdin.read() if sys.stdin else ''",
        "out['mine'] = os.environ['MINE']\nPath('beside.txt').write_text('x')",
        f"Path(os.environ['{RUN_DIR}'], 'got.json').write_text(json.dumps(out))",
        "print('printed ü'); print('warned', file=sys.stderr)",
    ]
    source = "\n".join(f"{name} = 0" for name in given)
    notebook = make_pipeline(tmp_path / "pipelines", cells, source)
    (notebook.path.parent / "helper.py").write_text("ANSWER = 42\n")
    told: list[RunProgress] = []
    outcome = execute(
        place,
        notebook,
        given,
        folder,
        environment={"MINE": "y"},
        timeout_s=60,
        on_progress=told.append,
    )
    assert outcome.error is None
    got = json.loads((folder.out / "got.json").read_text())
    assert got == {**given, "helper": 42, "stdin": "", "mine": "y"}
    assert [type(got[name]) for name in given] == [type(value) for value in given.values()]
    assert not (notebook.path.parent / "beside.txt").exists()
    _check_progress(told, outcome, cells=len(cells) + 2)
    executed = nbformat.read(folder.notebook, as_version=4)  # type: ignore[no-untyped-call]
    assert [c.execution_count for c in executed.cells if c.cell_type == "code"] == [*range(1, 9)]
    log = folder.log.read_text()
    assert "printed ü" in log
    assert "warned" in log


def _check_progress(told: list[RunProgress], outcome: Outcome, cells: int) -> None:
    assert told[-1] == outcome.progress == RunProgress(done=cells, total=cells, note="Leave")
    assert [p.done for p in told] == sorted(p.done for p in told)


def test_an_exception_is_told_with_the_end_of_its_traceback(
    place: Place, folder: RunFolder
) -> None:
    """Type, message, cell and heading first; the notebook up to there is kept."""
    cells = ["# Divide", "def f(x):\n    return 1 / x", "f(0)", "print('never')"]
    error = run(place, folder, cells).error
    assert error is not None
    first, *tail = error.splitlines()
    assert first == "ZeroDivisionError: division by zero (cell 3, “Divide”)"
    assert any("1 / x" in line for line in tail)
    assert "\x1b" not in error
    assert "ZeroDivisionError" in folder.log.read_text()
    assert "never" not in folder.log.read_text()
    assert folder.notebook.exists()


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("import sys; sys.exit(0)", "the notebook exited at cell 2"),
        ("import os; os._exit(0)", "the kernel died at cell 2"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "the kernel died at cell 2"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import os, signal; os.kill(os.getppid(), signal.SIGKILL)", "the notebook's process died"),
        ("this is no Python", "SyntaxError"),
    ],
)
def test_an_end_before_the_last_cell_is_a_failure(
    place: Place, folder: RunFolder, cell: str, told: str
) -> None:
    """Papermill exits 0 after sys.exit(0), and says "completed" of what never ran."""
    outcome = run(place, folder, ["print(1)", cell, "print(2)"])
    assert outcome.error is not None
    assert told in outcome.error
    assert members(folder.path) == []


def test_no_process_is_left_after_a_time_out(place: Place, folder: RunFolder) -> None:
    """Though the kernel ignores signals and has started a session of its own."""
    outcome = run(place, folder, [UNSTOPPABLE], timeout_s=12)
    assert outcome.error == "timed out after 12 s"
    assert (folder.out / "started").exists()
    assert members(folder.path) == []


def test_no_process_is_left_after_a_cancellation(
    tmp_path: Path, folder: RunFolder, place: Place
) -> None:
    """It is stopped as soon as that is asked for."""
    notebook = make_pipeline(tmp_path / "pipelines", [UNSTOPPABLE])
    outcome = execute(
        place,
        notebook,
        {},
        folder,
        environment={},
        timeout_s=120,
        stopped=lambda: CANCELLED if (folder.out / "started").exists() else None,
    )
    assert outcome.error == CANCELLED
    assert members(folder.path) == []


def test_no_process_outlives_a_killed_runner(
    tmp_path: Path, folder: RunFolder, settings: Settings
) -> None:
    """The notebook's process notices by a closed pipe, and ends all the others."""
    make_pipeline(tmp_path / "pipelines", [UNSTOPPABLE])
    program = f"""
from pathlib import Path
from tiltyard.settings import Settings
from tiltyard.training.execute import execute
from tiltyard.training.folder import RunFolder
from tiltyard.training.pipelines import find_notebook
from tiltyard.training.places import place_of
place = place_of(Settings.model_validate_json({settings.model_dump_json()!r}))
notebook = find_notebook(Path({str(tmp_path / "pipelines")!r}), "demo", "train")
folder = RunFolder(Path({str(folder.path)!r}))
execute(place, notebook, {{}}, folder, environment={{}}, timeout_s=120)
"""
    runner = subprocess.Popen([sys.executable, "-c", program])
    try:
        _wait_for((folder.out / "started").exists)
        assert len(members(folder.path)) >= 3
        os.kill(runner.pid, signal.SIGKILL)
        _wait_for(lambda: members(folder.path) == [])
    finally:
        runner.kill()
        runner.wait()
        kill_all(folder.path)


def test_what_was_left_over_is_found_by_its_environment(tmp_path: Path) -> None:
    """Only processes of folders below are killed, not those of a neighbour."""
    runs = tmp_path / "runs"
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    ours = subprocess.Popen(sleep, env={RUN_DIR: str(runs / "a" / "out")}, start_new_session=True)
    other = subprocess.Popen(sleep, env={RUN_DIR: str(tmp_path / "runs2" / "a")})
    try:
        _wait_for(lambda: [p.pid for p in members(runs)] == [ours.pid])
        kill_all(runs)
        assert ours.wait(5) == -signal.SIGKILL
        assert psutil.pid_exists(other.pid)
        assert other.poll() is None
    finally:
        for process in (ours, other):
            process.kill()
            process.wait()


def test_a_second_attempt_begins_anew(place: Place, folder: RunFolder) -> None:
    """Results of the first are gone, its log goes on."""
    assert run(place, folder, ["print('first')", "open('../out/left', 'w')"]).error is None
    assert (folder.out / "left").exists()
    assert run(place, folder, ["print('second')"]).error is None
    assert not (folder.out / "left").exists()
    assert folder.log.read_text().index("first") < folder.log.read_text().index("second")


def _wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)
