"""What only holds where a notebook is executed in a container."""

import gc
import json
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from docker import DockerClient

from support.engine_way import way_to_engine
from support.training import make_pipeline
from tiltyard.containers.engine import connect
from tiltyard.containers.images import read_lock, write_lock
from tiltyard.containers.labels import Role, filters, labels
from tiltyard.errors import NotFoundError, TiltyardError, UnavailableError
from tiltyard.lake import load_csv
from tiltyard.settings import Settings
from tiltyard.training.child_container import LOG_BYTES
from tiltyard.training.execute import Outcome, execute
from tiltyard.training.folder import RunFolder
from tiltyard.training.places import end_left_over, place_of

pytestmark = pytest.mark.slow

BEGIN = "import time\nprint('begun', flush=True)\nwhile True: time.sleep(0.1)"


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """The folder of a run."""
    return RunFolder(tmp_path / "r1")


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerClient]:
    """The engine, for looking at it."""
    client = connect(Settings())
    yield client
    client.close()


def run(settings: Settings, folder: RunFolder, cells: Sequence[str], **more: Any) -> Outcome:
    """Execute a notebook of these cells."""
    notebook = make_pipeline(folder.path.parent / "pipelines", cells)
    place = place_of(settings)
    environment = {"OUT": str(folder.out), **place.addresses}
    given: dict[str, Any] = {"environment": environment, "timeout_s": 60, **more}
    return execute(place, notebook, {}, folder, **given)


@pytest.fixture
def collected() -> Iterator[None]:
    """Collect what a test leaves to the garbage collector while its warnings are ignored."""
    yield
    gc.collect()


def runs_of(engine: DockerClient, settings: Settings) -> list[Any]:
    """Return the containers of a home's runs."""
    found: list[Any] = engine.containers.list(all=True, filters=filters(settings, Role.RUN))
    return found


def when_begun(folder: RunFolder, act: Callable[[], object]) -> None:
    """Do something, in a thread, when the log says that the notebook is at work."""

    def wait() -> None:
        end = time.monotonic() + 50
        while time.monotonic() < end:
            if folder.log.exists() and "begun" in folder.log.read_text():
                act()
                return
            time.sleep(0.1)

    Thread(target=wait, daemon=True).start()


PROBE = """\
import json, os, pathlib, sqlite3, tiltyard
def refused(call):
    try:
        call()
    except (OSError, sqlite3.Error) as error:
        return type(error).__name__
out = pathlib.Path(os.environ["OUT"])
run, home = out.parent, pathlib.Path(HOME)
found = {
    "uid": os.getuid(),
    "run": sorted(path.name for path in run.iterdir()),
    "home": sorted(path.name for path in home.iterdir()) if home.exists() else [],
    "root": refused(lambda: open("/x", "w")),
    "beside": refused(lambda: open(run / "log.txt", "w")),
    "replace": refused(lambda: out.rename(run / "other")),
    "socket": os.path.exists("/var/run/docker.sock"),
    "lake": tiltyard.read_lake("SELECT n FROM t")["n"].tolist(),
    "write": refused(lambda: sqlite3.connect("/lake/lake.db").execute("DROP TABLE t")),
    "image": os.environ["TILTYARD_IMAGE"],
    "theirs": "SECRET" in os.environ,
}
(out / "found.json").write_text(json.dumps(found))
"""


def test_a_run_meets_nothing_but_its_own(
    docker_settings: Settings, folder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its three folders, the lake to read, and no word of the runner's environment."""
    monkeypatch.setenv("SECRET", "x")
    csv = tmp_path / "t.csv"
    csv.write_text("n\n1\n2\n")
    load_csv(docker_settings.lake_url, "t", csv)
    probe = f"HOME = {str(docker_settings.path())!r}\n{PROBE}"
    assert run(docker_settings, folder, [probe]).error is None
    assert json.loads((folder.out / "found.json").read_text()) == {
        "uid": 10001,
        "run": ["out", "private", "work"],
        "home": [],
        "root": "OSError",
        "beside": "PermissionError",
        "replace": "PermissionError",
        "socket": False,
        "lake": [1, 2],
        "write": "OperationalError",
        "image": read_lock(docker_settings.images_lock).current("lab-python").id,
        "theirs": False,
    }


HOSTILE = """\
import os, pathlib
out = pathlib.Path(os.environ["OUT"])
private, work = out.parent / "private", pathlib.Path.cwd()
(out / "version").symlink_to(OUTSIDE)
for place in (private / "notebook.ipynb", work / "train.ipynb"):
    place.unlink(missing_ok=True)
    place.symlink_to(OUTSIDE + "/secret.ipynb")
(private / "progress.jsonl").unlink()
os.mkfifo(private / "progress.jsonl")
print("begun", flush=True)
os._exit(0)
"""


def test_links_lead_the_runner_nowhere(
    docker_settings: Settings, folder: RunFolder, tmp_path: Path
) -> None:
    """Neither is anything outside read, nor removed, nor does the runner stand still."""
    outside = tmp_path / "outside"
    secret = make_pipeline(outside, ["'secret'"]).path.rename(outside / "secret.ipynb")
    outcome = run(docker_settings, folder, [f"OUTSIDE = {str(outside)!r}\n{HOSTILE}"])
    assert "the notebook's process died" in (outcome.error or "")
    assert not folder.notebook.exists()
    assert "secret" not in folder.source.read_text().replace("secret.ipynb", "")
    folder.clean()
    assert secret.exists()


def test_memory_beyond_the_limit_is_named(docker_settings: Settings, folder: RunFolder) -> None:
    """With the setting that gives more."""
    error = run(docker_settings, folder, ["x = bytearray(10**9)"]).error or ""
    assert error.startswith(
        "more than 512 MB of memory were wanted (runner.memory_mb): the kernel died at cell 1"
    )


FILL = """\
try:
    open("one", "wb").write(bytes(60 * 10**6))
except OSError as error:
    print("bounded:", error)
for i in range(20):
    open(f"part{i}", "wb").write(bytes(5 * 10**6))
import time; time.sleep(60)
"""


def test_what_fills_the_disk_is_ended(docker_settings: Settings, folder: RunFolder) -> None:
    """One file by the kernel, many by a look now and then."""
    error = run(docker_settings, folder, [FILL]).error
    assert error == "its files take more than 50 MB (runner.disk_mb)"
    assert "bounded: [Errno 27] File too large" in folder.log.read_text()


@pytest.mark.parametrize("command", ["kill", "rm -f"])
def test_a_container_killed_behind_our_back_is_a_failure(
    docker_settings: Settings, folder: RunFolder, engine: DockerClient, command: str
) -> None:
    """The log has come as it was printed."""

    def kill() -> None:
        (container,) = runs_of(engine, docker_settings)
        subprocess.run(["docker", *command.split(), container.name], check=True)

    when_begun(folder, kill)
    error = run(docker_settings, folder, [BEGIN]).error or ""
    assert error.startswith(("the run's container was killed", "the run's container was removed"))
    assert runs_of(engine, docker_settings) == []


def test_a_flood_of_output_is_cut(docker_settings: Settings, folder: RunFolder) -> None:
    """What processes print beside the notebook counts, too."""
    flood = "import os\nfor _ in range(40): os.system('head -c 1000000 /dev/zero >&2')"
    to_log = flood.replace(">&2", "> /proc/1/fd/1")
    outcome = run(docker_settings, folder, [to_log])
    assert outcome.error is None
    assert LOG_BYTES < folder.log.stat().st_size < LOG_BYTES + 1000
    assert folder.log.read_bytes().endswith(b"the rest is dropped\n")


# Docker's library leaves the socket of a connection that fails to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("collected")
def test_without_its_engine_a_run_fails_and_ends(
    docker_settings: Settings, folder: RunFolder, tmp_path: Path, engine: DockerClient
) -> None:
    """The runner says what to do; the container ends by itself, and the next run clears it away."""
    with way_to_engine(tmp_path / "way.sock") as way:
        cut = docker_settings.model_copy(
            update={"docker": docker_settings.docker.model_copy(update={"url": way.url})}
        )
        when_begun(folder, way.cut)
        with pytest.raises(UnavailableError, match="does not answer: start it"):
            run(cut, folder, [BEGIN])
    (left,) = runs_of(engine, docker_settings)
    left.wait(timeout=10)
    assert run(docker_settings, folder, ["1"]).error is None
    assert runs_of(engine, docker_settings) == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("collected")
def test_what_cannot_start_says_what_to_do(
    docker_settings: Settings, folder: RunFolder, tmp_path: Path
) -> None:
    """No image recorded, one that is not there, no engine."""
    none = docker_settings.model_copy(update={"images": _images(tmp_path / "none.lock")})
    with pytest.raises(NotFoundError) as raised:
        run(none, folder, ["1"])
    assert "Build the images by `tiltyard images build`" in raised.value.message
    lock = read_lock(docker_settings.images_lock)
    lab = lock.current("lab-python").model_copy(update={"id": f"sha256:{'0' * 64}"})
    newest = lock.sets[-1].model_copy(update={"images": {"lab-python": lab}})
    write_lock(tmp_path / "gone.lock", lock.model_copy(update={"sets": (newest,)}))
    gone = docker_settings.model_copy(update={"images": _images(tmp_path / "gone.lock")})
    with pytest.raises(NotFoundError) as raised:
        run(gone, folder, ["1"])
    assert "recorded but not at this Docker Engine" in raised.value.message
    away = docker_settings.model_copy(
        update={"docker": docker_settings.docker.model_copy(update={"url": "unix:///no.sock"})}
    )
    with pytest.raises(UnavailableError, match="does not answer: start it"):
        run(away, folder, ["1"])
    with pytest.raises(TiltyardError, match="does not answer"):
        end_left_over(away)


def test_left_over_containers_are_found_by_their_labels(
    docker_settings: Settings, engine: DockerClient, tmp_path: Path
) -> None:
    """Of this home and of runs only."""
    image = read_lock(docker_settings.images_lock).current("lab-python").id
    other = docker_settings.model_copy(update={"home": tmp_path / "other"})
    wanted = [
        labels(docker_settings, Role.RUN, run="x"),
        labels(docker_settings, Role.EXEC),
        labels(other, Role.RUN, run="x"),
    ]
    made = [
        engine.containers.run(
            image, ["sleep", "60"], detach=True, init=True, network_mode="none", labels=label
        )
        for label in wanted
    ]
    try:
        end_left_over(docker_settings)
        alive = {c.id for c in engine.containers.list()}
        assert [c.id in alive for c in made] == [False, True, True]
    finally:
        for container in made[1:]:
            container.remove(force=True)


def _images(lock: Path) -> Any:
    return Settings().images.model_copy(update={"lock": str(lock)})
