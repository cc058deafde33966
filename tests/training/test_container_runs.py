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

SUBNET = "172.30.62.0/24"
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


def test_a_version_from_a_container(
    settings: Settings, control: Control, engine: DockerClient, tmp_path: Path
) -> None:
    """It names its image, its key follows that, and the scorer image repeats its golden rows.

    The runner, of another Python, has loaded nothing of it.
    """
    folder = make_pipeline(settings.pipelines.path, [TRAIN], "n_trees = 5").path.parent
    (folder / "helper.py").write_text(HELPER)
    request = RunRequest(kind=RunKind.TRAIN, pipeline="demo", model="bikes")
    with running(settings, control):
        run = finish(control, request)
        again = finish(control, request)
    assert (run.state, run.error, run.version) == (RunState.SUCCEEDED, None, 1)
    assert (again.version, again.key, again.progress.total) == (1, run.key, 0)
    client = control.client()
    manifest = client.version("bikes", 1).manifest
    lab = read_lock(settings.images_lock).current("lab-python")
    own = place_of(Settings(home=settings.home)).environment
    assert manifest.provenance.image == lab.id
    assert manifest.provenance.lock_digest == lab.packages != own
    assert manifest.provenance.history_digest == run.history
    assert manifest.libraries["python"].startswith("3.13")
    client.download_version("bikes", 1, tmp_path / "v.tar")
    with (tmp_path / "v.tar").open("rb") as tar:
        unpack(tar, tmp_path / "v", 10**8)
    (tmp_path / "v").chmod(0o755)
    assert (tmp_path / "v/source.ipynb").read_bytes() == (folder / "train.ipynb").read_bytes()
    scorer = read_lock(settings.images_lock).scorer_for(lab.id, "python")
    where = {str(tmp_path / "v"): {"bind": "/version", "mode": "ro"}}
    check = ["--folder", "/version", "--check"]
    with attached(engine, settings, scorer.id, check, volumes=where, network_mode="none") as held:
        held.start()
        said = b"".join(piece for _, piece in held.frames())
        assert held.ended().code == 0, said


def test_a_prepare_run_writes_through_control(settings: Settings, control: Control) -> None:
    """From the users' network, under the run's own token; its log comes as it is printed."""
    make_pipeline(settings.pipelines.path, ["print('n is', n)", PREPARE], "n = 3.0", step="prepare")
    with running(settings, control):
        run = finish(control, prepare(parameters={"n": 7}))
    assert (run.state, run.error) == (RunState.SUCCEEDED, None)
    assert run.history == control.client().history("demo").digest
    assert "n is 7\n" in control.client().run_log(run.id)[0]
    kept = {path.name for path in settings.path("runs", run.id).iterdir()}
    assert kept == {"log.txt", "notebook.ipynb"}


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
