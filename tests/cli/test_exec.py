"""`tiltyard exec`, on the real engine."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import typer
from docker import DockerClient
from typer.testing import CliRunner

from tiltyard.cli.app import app
from tiltyard.containers.engine import connect
from tiltyard.containers.images import read_lock
from tiltyard.containers.labels import Role, filters
from tiltyard.containers.projects import project_of
from tiltyard.settings import Settings

ROOT = Path(__file__).parents[2]
SCRIPT = """\
import json, os, pathlib, sys
print(json.dumps({"arguments": sys.argv[1:], "input": sys.stdin.read(), "at": os.getcwd()}))
print("warned", file=sys.stderr)
pathlib.Path("made.txt").write_text("made")
sys.exit(7)
"""
STUBBORN = """\
import signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("begun")
time.sleep(60)
"""
CAREFUL = """\
import time
try:
    print("begun")
    time.sleep(60)
finally:
    print("cleaned up")
"""


class Terminal:
    """Calls the command line in a project."""

    def __init__(self, project: Path, home: Path, images: Path, engine: DockerClient) -> None:
        self.project = project
        self._settings = Settings(home=home)
        self._engine = engine
        self.environment = {
            **os.environ,
            "TILTYARD_HOME": str(home),
            "TILTYARD_IMAGES__LOCK": str(images),
            # It is the caller's engine that counts.
            "TILTYARD_DOCKER__URL": "unix:///platform.sock",
        }

    def start(self, *arguments: str, **more: Any) -> "subprocess.Popen[str]":
        """Start `tiltyard exec`."""
        return subprocess.Popen(
            [sys.executable, "-m", "tiltyard.cli", "exec", *arguments],
            cwd=self.project,
            env={**self.environment, **more},
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def call(self, *arguments: str, given: str = "", **more: Any) -> tuple[int, str, str]:
        """Run it to its end; return exit code and what it printed, nothing of it being left."""
        with self.start(*arguments, **more) as process:
            out, err = process.communicate(given, timeout=60)
        assert self.left() == []
        return process.returncode, out, err

    def write(self, text: str, name: str = "script.py") -> str:
        """Write a script; return its name."""
        (self.project / name).write_text(text)
        return name

    def left(self) -> list[str]:
        """Return the containers that are left."""
        wanted = filters(self._settings, Role.EXEC)
        return [c["Id"] for c in self._engine.api.containers(all=True, filters=wanted)]


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerClient]:
    """The engine, for looking at it."""
    with closing(connect(Settings())) as client:
        yield client


@pytest.fixture
def terminal(tmp_path: Path, images_lock: Path, engine: DockerClient) -> Terminal:
    """A terminal in an empty project."""
    project = tmp_path / "my project"
    project.mkdir()
    return Terminal(project, tmp_path / "home", images_lock, engine)


@pytest.mark.slow
def test_a_script_runs_as_if_it_were_here(terminal: Terminal) -> None:
    """Arguments, input, both outputs, folder, exit code, and what it wrote."""
    code, out, err = terminal.call(terminal.write(SCRIPT), "--epochs", "3", "--", given="hello")
    assert code == 7
    assert json.loads(out) == {
        "arguments": ["--epochs", "3", "--"],
        "input": "hello",
        "at": str(terminal.project),
    }
    assert err == "warned\n"
    made = terminal.project / "made.txt"
    assert (made.read_text(), made.stat().st_uid) == ("made", os.getuid())


@pytest.mark.slow
def test_a_traceback_names_the_files_that_are_here(terminal: Terminal) -> None:
    """So that an IDE leads to the line."""
    (terminal.project / "sub").mkdir()
    terminal.write("def f():\n    raise ValueError('no')\n", "helper.py")
    terminal.write("import sys; sys.path.insert(0, '.')\nimport helper\nhelper.f()\n", "sub/it.py")
    code, _, err = terminal.call("sub/it.py")
    assert code == 1
    assert f'File "{terminal.project}/sub/it.py", line 3' in err
    assert f'File "{terminal.project}/helper.py", line 2' in err


@pytest.mark.slow
def test_what_a_project_meets(terminal: Terminal) -> None:
    """No network unless it is wanted, a root that cannot be written, only what it was given."""
    look = (
        "import os; print(sorted(os.listdir('/sys/class/net')), os.access('/usr', os.W_OK), "
        "[os.environ.get(n) for n in ('A', 'B', 'SECRET')], os.environ['TILTYARD_IMAGE'][:7])"
    )
    command = (".", "--", "python", "-c", look)
    given = ("--env", "A=1=2", "-e", "B")
    code, out, _ = terminal.call(*given, *command, B="mine", SECRET="x")
    assert (code, out) == (0, "['lo'] False ['1=2', 'mine', None] sha256:\n")
    code, out, _ = terminal.call("--network", "outside", *command)
    assert (code, out) == (0, "['eth0', 'lo'] False [None, None, None] sha256:\n")


@pytest.mark.slow
def test_too_little_memory_is_named(terminal: Terminal) -> None:
    """With the option that gives more."""
    command = (".", "--", "python", "-c", "bytearray(10**9)")
    code, _, err = terminal.call("--memory", "64", *command)
    assert code == 137
    assert "more than 64 MB of memory and was killed: give it more by --memory." in err


@pytest.mark.slow
def test_output_comes_as_it_is_printed(terminal: Terminal) -> None:
    """And who stops reading ends it."""
    script = terminal.write(
        "import itertools, pathlib, time\nprint('begun')\n"
        "while not pathlib.Path('go').exists(): time.sleep(0.05)\n"
        "for i in itertools.count(): print(i)\n"
    )
    process = terminal.start(script)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        (terminal.project / "go").touch()
        assert process.stdout.readline() == "0\n"
        process.stdout.close()
        assert process.wait(20) == 141
    assert terminal.left() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "signals", "code", "last"),
    [
        (CAREFUL, [signal.SIGINT], 130, "cleaned up\n"),
        (STUBBORN, [signal.SIGINT, signal.SIGINT], 137, ""),
        (CAREFUL, [signal.SIGTERM], 143, ""),
    ],
)
def test_signals_end_it(
    terminal: Terminal, script: str, signals: list[int], code: int, last: str
) -> None:
    """The first is the script's own; the second ends what ignores it."""
    process = terminal.start(terminal.write(script))
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        for number in signals:
            process.send_signal(number)
            time.sleep(0.3)
        assert process.wait(20) == code
        assert process.stdout.read() == last
    assert terminal.left() == []


@pytest.mark.slow
def test_a_killed_command_leaves_no_container(terminal: Terminal) -> None:
    """As an IDE ends what does not end by itself."""
    process = terminal.start(terminal.write(CAREFUL))
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.kill()
    _wait_for(lambda: terminal.left() == [])


@pytest.mark.slow
def test_an_image_that_is_not_there_is_named(terminal: Terminal, images_lock: Path) -> None:
    """Nothing is started by a tag."""
    name = "lab-python"
    recorded = read_lock(images_lock)
    lab = recorded.current(name).model_copy(update={"id": f"sha256:{'0' * 64}"})
    newest = recorded.sets[-1].model_copy(update={"images": {name: lab}})
    path = terminal.project / "gone.lock"
    path.write_text(recorded.model_copy(update={"sets": (newest,)}).model_dump_json())
    code, _, err = terminal.call(terminal.write("1"), TILTYARD_IMAGES__LOCK=str(path))
    assert code == 3
    assert "recorded but not at this Docker Engine" in err


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "told"),
    [
        (["it.py"], {"TILTYARD_IMAGE": "sha256:1"}, 3, "which gives no Docker away"),
        (["it.py"], {"JUPYTERHUB_USER": "ada"}, 3, "which gives no Docker away"),
        (["none.py"], {}, 3, "There is no script or folder"),
        (["it.txt"], {}, 2, "it.txt is no script of .py, .sh, .r. Give its folder"),
        (["."], {}, 2, "Say what to run in"),
        (["--project", "sub", "it.py"], {}, 2, "is not in the project"),
        (["--project", "none", "it.py"], {}, 2, "is not in the project"),
        (["/usr", "ls"], {}, 2, "/usr cannot be mounted as a project"),
        (["/", "ls"], {}, 2, "/ cannot be mounted as a project"),
        (["--env", "NOT_SET_HERE", "it.py"], {}, 2, "it is not set here"),
        (["--env", "=x", "it.py"], {}, 2, "write NAME=value or NAME"),
        (["--image", "lab-cobol", "it.py"], {}, 3, "There is no recorded image 'lab-cobol'"),
        (["--network", "all", "it.py"], {}, 2, "--network"),
    ],
)
def test_what_cannot_be_run_says_why(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    environment: dict[str, str],
    code: int,
    told: str,
) -> None:
    """Before anything is started."""
    (tmp_path / "sub").mkdir()
    for name in ("it.py", "it.txt"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    lock = tmp_path / "images.lock"
    runner = CliRunner(env={"TILTYARD_IMAGES__LOCK": str(lock), **environment})
    result = runner.invoke(app, ["exec", *arguments])
    assert (result.exit_code, told in " ".join(result.output.split())) == (code, True), (
        result.output
    )


@pytest.mark.slow
def test_without_docker_it_says_what_to_start(terminal: Terminal) -> None:
    """The caller's, not the platform's."""
    terminal.write("1")
    with terminal.start("script.py", DOCKER_HOST="unix:///nowhere.sock") as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "The Docker Engine at unix:///nowhere.sock does not answer: start it" in err


def test_which_folder_is_mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never a whole home, nor a folder of the system's, because of where the call was made."""
    script = tmp_path / "home/project/sub/it.py"
    script.parent.mkdir(parents=True)
    script.touch()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for here, mounted in (
        (tmp_path / "home/project", tmp_path / "home/project"),
        (tmp_path / "home", script.parent),
        (Path("/"), script.parent),
    ):
        monkeypatch.chdir(here)
        project = project_of(script, ["x"])
        assert project.folder == mounted
        assert project.workdir == mounted
        assert project.command == ("python", str(script), "x")
    assert project_of(script, [], tmp_path / "home").folder == tmp_path / "home"


def test_what_the_documents_give_to_ides_is_a_command() -> None:
    """VS Code's files are JSON, and the command line takes their words."""
    blocks = re.findall(r"```json\n(.*?)```", (ROOT / "docs/exec.md").read_text(), re.DOTALL)
    tasks, launch = map(json.loads, blocks)
    calls = [["tiltyard", *task["args"]] for task in tasks["tasks"]]
    calls += [shlex.split(one["command"]) for one in launch["configurations"]]
    command = typer.main.get_command(app).commands["exec"]  # type: ignore[attr-defined]
    for program, name, *words in calls:
        assert (program, name) == ("tiltyard", "exec")
        assert command.make_context("exec", words).params["image"] == "lab-python"


def _wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)
