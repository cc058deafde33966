"""Runs in containers, from the queue to a version, with a real control and a real runner."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from docker import DockerClient

from support.control import Control, bikes_frame, make_home, serve, write_bikes
from support.gateway import free_port
from support.subnets import own_subnet
from support.training import finish, make_pipeline, running
from tiltyard.artifacts import unpack
from tiltyard.containers.attached import attached
from tiltyard.containers.engine import connect
from tiltyard.containers.images import read_lock
from tiltyard.containers.labels import Role, filters
from tiltyard.containers.network import remove_network
from tiltyard.settings import Settings
from tiltyard.training.places import place_of
from tiltyard.types.registry import Run, RunKind, RunRequest, RunState

pytestmark = pytest.mark.slow

SUBNET = own_subnet()
PREPARE = """\
import pandas as pd, tiltyard
frame = pd.DataFrame({"x": [1.0, 2.0, n], "y": [0.5, 1.0, 1.5]})
tiltyard.write_history("demo", frame, target="y", task="regression")
"""
FOREVER = "import time\nprint('begun', flush=True)\nwhile True: time.sleep(0.1)"
TRAIN = """\
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
import helper
import tiltyard
columns = make_column_transformer(
    (FunctionTransformer(helper.filled), ["temperature"]),
    (OneHotEncoder(handle_unknown="ignore"), ["weather"]),
)
forest = make_pipeline(columns, RandomForestRegressor(n_trees, random_state=1))
tiltyard.log_model(forest, tiltyard.read_history("bikes"), model="bikes", code=[helper])
"""
TRAP = """\
if trap:
    import hashlib, json, os, pathlib, pickle
    class Trap:
        def __reduce__(self):
            return os.mkdir, (trap,)
    version = pathlib.Path(os.environ["TILTYARD_RUN_DIR"], "version")
    (version / "model.joblib").write_bytes(pickle.dumps(Trap()))
    manifest = json.loads((version / "version.json").read_text())
    digest = hashlib.sha256((version / "model.joblib").read_bytes()).hexdigest()
    manifest["files"]["model.joblib"] = digest
    (version / "version.json").write_text(json.dumps(manifest))
"""
HELPER = "def filled(frame):\n    return frame.fillna(0.0)\n"


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerClient]:
    """The engine, for looking at it."""
    with closing(connect(Settings())) as client:
        yield client


@pytest.fixture(scope="module")
def settings(
    tmp_path_factory: pytest.TempPathFactory, images_lock: Path, engine: DockerClient
) -> Iterator[Settings]:
    """A home whose runs are executed in containers."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "pipelines").mkdir()
    settings = make_home(
        folder / "home",
        runtime="docker",
        pipelines={"path": folder / "pipelines"},
        docker={"subnet": SUBNET},
        images={"lock": str(images_lock)},
        control={"port": free_port()},
    )
    yield settings
    assert runs_of(engine, settings) == []
    assert remove_network(engine, settings)


@pytest.fixture(scope="module")
def control(settings: Settings) -> Iterator[Control]:
    """A control that containers reach, too."""
    with serve(settings, settings.control.port) as served:
        write_bikes(served, bikes_frame(48))
        yield served


def runs_of(engine: DockerClient, settings: Settings) -> list[Any]:
    """Return the containers of a home's runs."""
    found: list[Any] = engine.containers.list(all=True, filters=filters(settings, Role.RUN))
    return found


def prepare(**more: object) -> RunRequest:
    """Ask for the prepare notebook of the pipeline demo."""
    return RunRequest.model_validate({"kind": RunKind.PREPARE, "pipeline": "demo", **more})


def train(**more: object) -> RunRequest:
    """Ask for its train notebook, on the history of bikes."""
    asked = {"kind": RunKind.TRAIN, "pipeline": "demo", "model": "bikes", **more}
    return RunRequest.model_validate(asked)


def test_what_runs_in_containers_make(
    settings: Settings, control: Control, engine: DockerClient, tmp_path: Path
) -> None:
    """A history; a version of the image's Python; one that would harm who loads it."""
    path = settings.pipelines.path
    make_pipeline(path, ["print('n is', n)", PREPARE], "n = 3.0", step="prepare")
    folder = make_pipeline(path, [TRAIN, TRAP], "n_trees = 5\ntrap = ''").path.parent
    (folder / "helper.py").write_text(HELPER)
    sprung = tmp_path / "sprung"
    with running(settings, control):
        prepared = finish(control, prepare(parameters={"n": 7}))
        run = finish(control, train())
        again = finish(control, train())
        trapped = finish(control, train(parameters={"trap": str(sprung)}))
    _check_history(settings, control, prepared)
    assert (run.state, run.error, run.version) == (RunState.SUCCEEDED, None, 1)
    assert (again.version, again.key, again.progress.total) == (1, run.key, 0)
    assert (trapped.state, trapped.version, sprung.exists()) == (RunState.SUCCEEDED, 2, False)
    _check_version(settings, control, run)
    _check_golden_rows(settings, control, engine, tmp_path)


def _check_history(settings: Settings, control: Control, run: Run) -> None:
    """It came through control, from the users' network; log and notebook are left."""
    assert (run.state, run.error) == (RunState.SUCCEEDED, None)
    assert run.history == control.client().history("demo").digest
    assert "n is 7\n" in control.client().run_log(run.id)[0]
    kept = {path.name for path in settings.path("runs", run.id).iterdir()}
    assert kept == {"log.txt", "notebook.ipynb"}


def _check_version(settings: Settings, control: Control, run: Run) -> None:
    """It names its image and the image's packages, in place of the runner's own."""
    client = control.client()
    manifest = client.version("bikes", 1).manifest
    lab = read_lock(settings.images_lock).current("lab-python")
    own = place_of(Settings(home=settings.home)).environment
    assert manifest.provenance.image == lab.id
    assert manifest.provenance.lock_digest == lab.packages != own
    assert manifest.provenance.history_digest == run.history
    assert manifest.libraries["python"].startswith("3.13")


def _check_golden_rows(
    settings: Settings, control: Control, engine: DockerClient, tmp_path: Path
) -> None:
    """The scorer image of the same set repeats them, from the folder that was registered."""
    control.client().download_version("bikes", 1, tmp_path / "v.tar")
    with (tmp_path / "v.tar").open("rb") as tar:
        unpack(tar, tmp_path / "v", 10**8)
    (tmp_path / "v").chmod(0o755)
    source = settings.pipelines.path / "demo/train.ipynb"
    assert (tmp_path / "v/source.ipynb").read_bytes() == source.read_bytes()
    image = control.client().version("bikes", 1).manifest.provenance.image
    scorer = read_lock(settings.images_lock).scorer_for(image, "python")
    where = {str(tmp_path / "v"): {"bind": "/version", "mode": "ro"}}
    check = ["--folder", "/version", "--check"]
    with attached(engine, settings, scorer.id, check, volumes=where, network_mode="none") as held:
        held.start()
        said = b"".join(piece for _, piece in held.frames())
        assert held.ended().code == 0, said


def test_a_cancelled_runs_container_ends(
    settings: Settings, control: Control, engine: DockerClient
) -> None:
    """And so does that of a runner that is told to end."""
    make_pipeline(settings.pipelines.path, [FOREVER], step="prepare")
    with running(settings, control) as runner:
        run = _begun(control, prepare())
        (container,) = runs_of(engine, settings)
        assert container.name.endswith(f"-run-{run.id}")
        assert container.labels["tiltyard.run"] == run.id
        control.client().cancel_run(run.id)
        _wait_for(lambda: control.client().run(run.id).state is RunState.CANCELLED)
        assert runs_of(engine, settings) == []
        last = _begun(control, prepare())
        runner.send_signal(signal.SIGTERM)
        assert runner.wait(5) == 0
        assert runs_of(engine, settings) == []
    assert control.client().run(last.id).error == "the runner was stopped"


def test_a_killed_runners_container_ends(
    settings: Settings, control: Control, engine: DockerClient
) -> None:
    """By itself; the next runner removes what is left of it, and carries on with the second try."""
    make_pipeline(settings.pipelines.path, [FOREVER], step="prepare")
    short = {"TILTYARD_RUNNER__LOST_AFTER_S": "2"}
    with running(settings, control, **short) as runner:
        run = _begun(control, prepare(retries=1))
        (container,) = runs_of(engine, settings)
        os.kill(runner.pid, signal.SIGKILL)
        container.wait(timeout=10)
    make_pipeline(settings.pipelines.path, [PREPARE], "n = 1.0", step="prepare")
    with running(settings, control, **short):
        _wait_for(lambda: control.client().run(run.id).state.ended)
        assert runs_of(engine, settings) == []
    ended = control.client().run(run.id)
    assert (ended.state, ended.attempt) == (RunState.SUCCEEDED, 2)


def test_a_run_without_its_image_says_what_to_do(
    settings: Settings, control: Control, tmp_path: Path
) -> None:
    """The run fails; the runner goes on."""
    make_pipeline(settings.pipelines.path, [PREPARE], "n = 1.0", step="prepare")
    nothing = {"TILTYARD_IMAGES__LOCK": str(tmp_path / "none.lock")}
    with running(settings, control, **nothing):
        run = finish(control, prepare())
    assert run.state is RunState.FAILED
    assert "Build the images by `tiltyard images build`" in (run.error or "")


def _begun(control: Control, request: RunRequest) -> Run:
    run = control.client().request_run(request)
    _wait_for(lambda: "begun" in control.client().run_log(run.id)[0])
    return run


def _wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)
