"""A control with versions, and a reconciler that tests let step."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from support import control as control_support
from support import yard
from support.control import Control, tar_of
from support.runtimes import DockerRuntime, ProcessRuntime, TestRuntime
from tiltyard.client.control import ControlClient
from tiltyard.client.frames import to_batches
from tiltyard.deployers.base import Deployer
from tiltyard.deployers.probe import REFUSED_EXITS, probe
from tiltyard.deployers.reconcile import Reconciler
from tiltyard.deployers.supervisor import Supervisor
from tiltyard.scoring.client import ScorerClient
from tiltyard.settings import Settings
from tiltyard.types.registry import Deployment, DeploymentState, Version

ROW = {"x": 1.0, "y": 0.5, "part": "noon"}


@dataclass
class Site:
    """A control, and a reconciler that a test lets step."""

    settings: Settings
    control: Control
    runtime: TestRuntime
    reconciler: Reconciler
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


def folder_of(home: Path) -> Callable[[Version], Path]:
    """Return where the artifact store keeps versions."""
    return lambda version: home / "artifacts" / version.digest[:2] / version.digest


def reconciler(client: ControlClient, deployer: Deployer, settings: Settings) -> Reconciler:
    """Return one as `tiltyard up` or control makes it."""
    return Reconciler(
        client,
        deployer,
        lambda endpoint, folder: probe(endpoint, folder, settings.scorer_uid),
        folder_of(settings.path()),
        runtime=settings.runtime,
        refused_exits=REFUSED_EXITS,
    )


@contextmanager
def open_site(settings: Settings, *folders: Path) -> Iterator[Site]:
    """Give a site with versions, numbered from 1."""
    with ExitStack() as stack, ExitStack() as serving:
        control = serving.enter_context(control_support.serve(settings))
        schema, batches = to_batches(yard.history())
        scientist = control.client("scientist")
        scientist.put_history(yard.MODEL, schema, batches, task="regression", target=yard.TARGET)
        for number, folder in enumerate(folders, 1):
            assert scientist.add_version(yard.MODEL, tar_of(folder)).version == number
        runtime: TestRuntime
        if settings.runtime == "docker":
            runtime = DockerRuntime(settings)
            stack.callback(runtime.client.close)
        else:
            supervisor = stack.enter_context(Supervisor(settings.path(), settings.sockets))
            runtime = ProcessRuntime(supervisor)
        client = stack.enter_context(ControlClient(control.url, control.tokens["operator"]))
        steps = reconciler(client, runtime.deployer, settings)
        stack.callback(end_deployments, runtime)
        yield Site(settings, control, runtime, steps, serving.close)


def end_deployments(runtime: TestRuntime) -> None:
    """Leave no container, and no folder of sockets that is mounted."""
    runtime.deployer.look()
    for deployment in runtime.deployer.running():
        runtime.deployer.stop(deployment)
    assert runtime.left() == []


def score(site: Site, endpoint: str) -> object:
    """Ask a scorer for one prediction."""
    signature = site.control.client().version(yard.MODEL, 1).manifest.signature
    with ScorerClient(endpoint, 5.0, uid=site.settings.scorer_uid) as client:
        return client.score(signature, [ROW])[0][0]
