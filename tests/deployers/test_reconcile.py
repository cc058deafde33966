"""The reconciler with a real control, real scorers and real versions."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import control as control_support
from support import yard
from support.control import Control, tar_of
from tiltyard.client.control import ControlClient
from tiltyard.client.frames import to_batches
from tiltyard.deployers.probe import REFUSED_EXITS, probe
from tiltyard.deployers.process import ProcessDeployer, socket_path
from tiltyard.deployers.reconcile import NotListeningError, Reconciler
from tiltyard.deployers.supervisor import Supervisor
from tiltyard.scoring.client import ScorerClient
from tiltyard.types.registry import Deployment, DeploymentState, Version

pytestmark = pytest.mark.slow

ROW = {"x": 1.0, "y": 0.5, "part": "noon"}


@dataclass
class Site:
    """A control, and a reconciler that a test lets step."""

    control: Control
    supervisor: Supervisor
    reconciler: Reconciler
    home: Path
    stop_control: Callable[[], None]

    def deploy(self, version: int = 1, replicas: int = 1) -> Deployment:
        """Ask for a version to run."""
        return self.control.client("scientist").deploy(yard.MODEL, version, replicas)

    def state(self, deployment: Deployment) -> Deployment:
        """Return what control has recorded."""
        found = self.control.client().deployments(yard.MODEL)
        return next(d for d in found if d.id == deployment.id)

    def step_until(self, condition: Callable[[], object], seconds: float = 150.0) -> None:
        """Reconcile until a condition holds."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not happen in time"
            self.reconciler.step()
            time.sleep(0.1)

    def until(self, deployment: Deployment, state: DeploymentState) -> Deployment:
        """Reconcile until control has recorded a state."""
        self.step_until(lambda: self.state(deployment).state is state)
        return self.state(deployment)

    def pid(self, deployment: Deployment, replica: int = 0) -> int:
        """Return the pid of a scorer."""
        status = self.supervisor.status(f"scorer-{deployment.id}-{replica}")
        assert status is not None
        assert status.pid is not None
        return status.pid


def folder_of(home: Path) -> Callable[[Version], Path]:
    """Return where the artifact store keeps versions."""
    return lambda version: home / "artifacts" / version.digest[:2] / version.digest


def reconciler(client: ControlClient, supervisor: Supervisor, home: Path) -> Reconciler:
    """Return one as `tiltyard up` makes it."""
    return Reconciler(
        client,
        ProcessDeployer(supervisor),
        probe,
        folder_of(home),
        refused_exits=REFUSED_EXITS,
    )


@pytest.fixture(scope="module")
def version_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a real version."""
    return yard.Versions(tmp_path_factory.mktemp("versions")).folder(1)


@pytest.fixture
def site(tmp_path: Path, version_folder: Path) -> Iterator[Site]:
    """Return a site with one version."""
    home = tmp_path / "home"
    settings = control_support.make_home(home)
    with ExitStack() as stack, ExitStack() as serving:
        control = serving.enter_context(control_support.serve(settings))
        schema, batches = to_batches(yard.history())
        scientist = control.client("scientist")
        scientist.put_history(yard.MODEL, schema, batches, task="regression", target=yard.TARGET)
        assert scientist.add_version(yard.MODEL, tar_of(version_folder)).version == 1
        supervisor = stack.enter_context(Supervisor(home, settings.sockets))
        client = stack.enter_context(ControlClient(control.url, control.tokens["operator"]))
        steps = reconciler(client, supervisor, home)
        yield Site(control, supervisor, steps, home, serving.close)


def score(site: Site, endpoint: str) -> object:
    """Ask a scorer for one prediction."""
    signature = site.control.client().version(yard.MODEL, 1).manifest.signature
    with ScorerClient(endpoint, 5.0) as client:
        return client.score(signature, [ROW])[0][0]


def test_from_deploy_to_retire(site: Site) -> None:
    """Every replica scores when the deployment is healthy; retired, nothing of it is left."""
    deployment = site.deploy(replicas=2)
    site.until(deployment, DeploymentState.HEALTHY)
    assert len({score(site, endpoint) for endpoint in deployment.endpoints}) == 1
    site.control.client("scientist").retire(yard.MODEL, 1)
    site.step_until(lambda: site.supervisor.names() == [])
    assert not socket_path(deployment.endpoints[0]).parent.parent.exists()


def test_a_killed_scorer_comes_back_on_its_socket(site: Site) -> None:
    """It is probed again, and the deployment stays healthy."""
    deployment = site.deploy()
    site.until(deployment, DeploymentState.HEALTHY)
    before = score(site, deployment.endpoints[0])
    old = site.pid(deployment)
    os.kill(old, signal.SIGKILL)
    status = f"scorer-{deployment.id}-0"
    site.step_until(lambda: (now := site.supervisor.status(status)) is not None and now.runs == 2)
    site.step_until(lambda: _listens(site, deployment))
    assert score(site, deployment.endpoints[0]) == before
    assert site.state(deployment).state is DeploymentState.HEALTHY


def _pid(site: Site, deployment: Deployment) -> int | None:
    status = site.supervisor.status(f"scorer-{deployment.id}-0")
    return None if status is None else status.pid


def _listens(site: Site, deployment: Deployment) -> bool:
    try:
        return probe(deployment.endpoints[0], _folder(site)) is None
    except NotListeningError:  # the socket of the one before is still there
        return False


def _folder(site: Site) -> Path:
    version = site.control.client().version(yard.MODEL, 1)
    return folder_of(site.home)(version)


def _make_writable(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def test_a_corrupt_artifact_is_refused(site: Site) -> None:
    """The reason is the scorer's sentence; the process is not tried again."""
    folder = _folder(site)
    _make_writable(folder)
    model = folder / "model.joblib"
    model.write_bytes(model.read_bytes()[:-7])
    deployment = site.deploy()
    found = site.until(deployment, DeploymentState.REFUSED)
    assert "model.joblib" in (found.reason or "")
    for _ in range(3):
        site.reconciler.step()
    assert site.supervisor.names() == []


def test_an_absent_artifact_fails(site: Site) -> None:
    """The reason names the folder."""
    folder = _folder(site)
    _make_writable(folder)
    shutil.rmtree(folder)
    found = site.until(site.deploy(), DeploymentState.FAILED)
    assert str(folder) in (found.reason or "")


def test_a_scorer_that_dies_at_its_start_fails(site: Site) -> None:
    """It is tried three times; deploying anew tries again."""
    deployment = site.deploy()
    socket = socket_path(deployment.endpoints[0])
    socket.parent.mkdir(parents=True)
    socket.parent.parent.chmod(0o700)
    (socket / "in the way").mkdir(parents=True)
    found = site.until(deployment, DeploymentState.FAILED)
    assert found.reason
    again = site.deploy()
    assert again.id != deployment.id
    site.until(again, DeploymentState.HEALTHY)


def test_what_runs_goes_on_while_control_is_away(site: Site) -> None:
    """A scorer that dies then is started again."""
    deployment = site.deploy()
    site.until(deployment, DeploymentState.HEALTHY)
    old = site.pid(deployment)
    site.stop_control()
    for _ in range(3):
        site.reconciler.step()
    assert site.pid(deployment) == old
    os.kill(old, signal.SIGKILL)
    site.step_until(lambda: _pid(site, deployment) not in {None, old})


def test_a_second_start_runs_what_was_healthy(site: Site, tmp_path: Path) -> None:
    """On the same sockets; `settled` is set when it scores again."""
    deployment = site.deploy()
    site.until(deployment, DeploymentState.HEALTHY)
    site.supervisor.stop(*site.supervisor.names())
    second = reconciler(site.control.client(), site.supervisor, site.home)
    stop = threading.Event()
    thread = threading.Thread(target=second.run, args=(stop,))
    thread.start()
    try:
        assert second.settled.wait(150)
        assert score(site, deployment.endpoints[0]) is not None
    finally:
        stop.set()
        thread.join()
