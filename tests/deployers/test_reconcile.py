"""The reconciler with a real control, real scorers and real versions, on each runtime."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import yard
from support.control import make_home, tar_of
from support.hostile import DIES, hostile_folder
from support.sites import Site, folder_of, open_site, reconciler, score
from tiltyard.deployers.probe import probe
from tiltyard.deployers.probing import NotListeningError
from tiltyard.deployers.process import socket_path
from tiltyard.types.registry import Deployment, DeploymentState

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def version_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a real version."""
    return yard.Versions(tmp_path_factory.mktemp("versions")).folder(1)


@pytest.fixture(params=["process", "docker"])
def site(request: pytest.FixtureRequest, tmp_path: Path, version_folder: Path) -> Iterator[Site]:
    """Return a site with one version."""
    sections = {}
    if request.param == "docker":
        sections = {"images": {"lock": str(request.getfixturevalue("images_lock"))}}
    settings = make_home(tmp_path / "home", runtime=request.param, **sections)
    with open_site(settings, version_folder) as site:
        yield site


def test_from_deploy_to_retire(site: Site) -> None:
    """Every replica scores when the deployment is healthy; retired, nothing of it is left."""
    deployment = site.deploy(replicas=2)
    site.until(deployment, DeploymentState.HEALTHY)
    assert len({score(site, endpoint) for endpoint in deployment.endpoints}) == 1
    site.control.client("scientist").retire(yard.MODEL, 1)
    site.step_until(lambda: site.runtime.left() == [])
    assert not socket_path(deployment.endpoints[0]).parent.parent.exists()


def test_a_killed_scorer_comes_back_on_its_socket(site: Site) -> None:
    """It is probed again, and the deployment stays healthy."""
    deployment = site.deploy()
    site.until(deployment, DeploymentState.HEALTHY)
    before = score(site, deployment.endpoints[0])
    old = site.runtime.kill(deployment)
    site.step_until(lambda: site.runtime.pid(deployment) not in {None, old})
    site.step_until(lambda: _listens(site, deployment))
    assert score(site, deployment.endpoints[0]) == before
    assert site.state(deployment).state is DeploymentState.HEALTHY


def _listens(site: Site, deployment: Deployment) -> bool:
    try:
        folder, uid = _folder(site), site.settings.scorer_uid
        return probe(deployment.endpoints[0], folder, uid) is None
    except NotListeningError:  # the socket of the one before is still there
        return False


def _folder(site: Site) -> Path:
    version = site.control.client().version(yard.MODEL, 1)
    return folder_of(site.settings.path())(version)


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
    assert site.runtime.left() == []


def test_an_absent_artifact_fails(site: Site) -> None:
    """The reason names the folder."""
    folder = _folder(site)
    _make_writable(folder)
    shutil.rmtree(folder)
    found = site.until(site.deploy(), DeploymentState.FAILED)
    assert str(folder) in (found.reason or "")


def test_a_scorer_that_dies_at_its_start_fails(
    site: Site, version_folder: Path, tmp_path: Path
) -> None:
    """It is tried three times, then all of it is ended; deploying anew tries again."""
    deadly = hostile_folder(version_folder, tmp_path / "deadly", DIES)
    assert site.control.client("scientist").add_version(yard.MODEL, tar_of(deadly)).version == 2
    deployment = site.deploy(2)
    assert site.until(deployment, DeploymentState.FAILED).reason
    assert site.runtime.left() == []
    again = site.deploy(2)
    assert again.id != deployment.id
    site.step_until(lambda: site.runtime.pid(again))
    site.until(again, DeploymentState.FAILED)


def test_what_runs_goes_on_while_control_is_away(site: Site) -> None:
    """A scorer that dies then is started again."""
    deployment = site.deploy()
    site.until(deployment, DeploymentState.HEALTHY)
    old = site.runtime.pid(deployment)
    site.stop_control()
    for _ in range(3):
        site.reconciler.step()
    assert site.runtime.pid(deployment) == old
    site.runtime.kill(deployment)
    site.step_until(lambda: site.runtime.pid(deployment) not in {None, old})


def test_a_second_start_runs_what_was_healthy(site: Site) -> None:
    """On the same sockets; `settled` is set when it scores again."""
    deployment = site.deploy()
    site.until(deployment, DeploymentState.HEALTHY)
    site.runtime.end()
    second = reconciler(site.control.client(), site.runtime.another(), site.settings)
    stop = threading.Event()
    thread = threading.Thread(target=second.run, args=(stop,))
    thread.start()
    try:
        assert second.settled.wait(150)
        assert score(site, deployment.endpoints[0]) is not None
    finally:
        stop.set()
        thread.join()
