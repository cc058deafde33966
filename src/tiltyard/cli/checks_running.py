"""The doctor's checks of what runs, or could run."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from tiltyard.cli.findings import Check, Finding
from tiltyard.cli.home import holder
from tiltyard.cli.ready import answers, listeners, listens, port_problem, reachable
from tiltyard.errors import TiltyardError
from tiltyard.settings import LOOPBACK, Settings
from tiltyard.types.registry import Deployment, DeploymentState, Run, RunState

UP = "tiltyard up"
_WELL = {DeploymentState.HEALTHY, DeploymentState.RETIRED}


def check_up(settings: Settings) -> Iterator[Finding]:
    """Look whether `tiltyard up` runs; if it does not, whether its ports are free."""
    pid = holder(settings.path())
    if pid is not None or _runs_otherwise(settings):
        what = "its processes run without it" if pid is None else f"runs, pid {pid}"
        yield Finding(UP, True, what)
        yield from _answering(settings)
        return
    yield Finding(UP, False, "does not run", UP)
    for one in listeners(settings):
        problem = port_problem(one.host, one.port)
        mend = f"stop what listens there, or set {one.variable}" if problem else ""
        what = f"{one.host}:{one.port} {'is free' if problem is None else problem}"
        yield Finding(one.setting, problem is None, what, mend)


def check_work(settings: Settings) -> Iterator[Finding]:
    """Look for deployments that are not healthy and runs whose runner is gone."""
    from tiltyard.client.connect import connect

    try:
        with connect(settings) as client:
            deployments = client.deployments()
            runs = client.runs(RunState.RUNNING)
    except TiltyardError as error:
        if holder(settings.path()) is not None:
            yield Finding("control", False, error.message, f"look at {settings.path('logs')}")
        return
    yield from _deployments(deployments)
    yield from _runs(runs, settings)


def _runs_otherwise(settings: Settings) -> bool:
    """Whether control knows this home's token: its processes run in containers, say."""
    from tiltyard.client.connect import connect

    try:
        with connect(settings) as client:
            client.me()
    except TiltyardError:
        return False
    return True


def _answering(settings: Settings) -> Iterator[Finding]:
    urls = {
        "control": f"{settings.control_url}/api/v1/health",
        "gateway": f"{settings.gateway_url}/healthz",
    }
    if settings.hub.enabled:
        proxy = f"http://{reachable(settings.hub.host)}:{settings.hub.port}"
        urls |= {"hub": f"{settings.hub_api_url}/", "proxy": f"{proxy}/hub/health"}
    found = {name: (url, answers(url)) for name, url in urls.items()}
    if settings.hub.enabled:  # the Monitor answers nobody who is not logged in
        found["monitor"] = settings.monitor_url, listens(LOOPBACK, settings.monitor.port)
    for name, (url, ok) in found.items():
        mend = "" if ok else f"look at {settings.path('logs', f'{name}.log')}"
        yield Finding(name, ok, f"{url} {'answers' if ok else 'does not answer'}", mend)


def _deployments(deployments: list[Deployment]) -> Iterator[Finding]:
    latest = {(d.model, d.version): d for d in deployments}
    for d in latest.values():
        if d.state not in _WELL:
            name = f"{d.model} version {d.version}"
            what = f"{d.state}: {d.reason or 'not healthy yet'}"
            yield Finding(f"deployment of {name}", False, what, _mend(d))
    healthy = sum(d.state is DeploymentState.HEALTHY for d in latest.values())
    yield Finding("deployments", True, f"{healthy} healthy")


def _mend(d: Deployment) -> str:
    if d.state is DeploymentState.STARTING:
        return "wait, then run tiltyard doctor again"
    if d.state is DeploymentState.REFUSED:
        return f"train the version again, then tiltyard retire {d.model} {d.version}"
    return f"tiltyard deploy {d.model} {d.version}, or tiltyard retire {d.model} {d.version}"


def _runs(runs: list[Run], settings: Settings) -> Iterator[Finding]:
    late = datetime.now(UTC) - timedelta(seconds=settings.runner.lost_after_s)
    dead = [r for r in runs if (r.heartbeat_at or r.created_at) < late]
    for run in dead:
        what = f"{run.request.pipeline}: no heartbeat since {run.heartbeat_at}"
        yield Finding(f"run {run.id}", False, what, f"tiltyard cancel {run.id}")
    if not dead:
        yield Finding("runs", True, f"{len(runs)} running, none lost")


RUNNING_CHECKS: tuple[Check, ...] = (check_up, check_work)
