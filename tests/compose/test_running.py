"""The platform in containers: it comes up, deploys, answers, and starts again."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from support.composed import Composed, composed
from support.control import tar_of
from support.hub import Visitor
from support.images import images_lock
from support.models import build_version_folder, rows_of, wide_frame
from support.training import make_pipeline
from tiltyard.client.control import ControlClient
from tiltyard.client.follow import until_healthy
from tiltyard.containers.engine import connect
from tiltyard.containers.labels import ROLE, filters
from tiltyard.errors import TiltyardError
from tiltyard.types.schema import CallSchema

__all__ = ["images_lock"]

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

MODEL = "logistic"
PREPARE = """\
import pandas as pd, tiltyard
frame = pd.DataFrame({"x": [1.0, 2.0, 3.0], "y": [0.5, 1.0, 1.5]})
tiltyard.write_history("demo", frame, target="y", task="regression")
"""


@pytest.fixture(scope="module")
def platform(images_lock: Path) -> Iterator[Composed]:
    """The platform, up."""
    with composed(images_lock) as made:
        _until(lambda: _health(made))
        yield made


@pytest.fixture(scope="module")
def client(platform: Composed) -> Iterator[ControlClient]:
    """The operator's client."""
    token = platform.settings.path("tokens", "cli").read_text().strip()
    with ControlClient(platform.settings.control_url, token) as client:
        yield client


def test_a_version_is_deployed_and_answers(
    platform: Composed, client: ControlClient, tmp_path: Path
) -> None:
    """Its scorer is a container that control, itself in a container, has started."""
    manifest = build_version_folder("logistic", tmp_path / "v")
    signature = manifest.signature
    schema = CallSchema(
        columns=signature.inputs, target=signature.output.name, target_type=signature.output.type
    )
    client.put_model(MODEL, manifest.task, schema, owner_group="lab")
    version = client.add_version(MODEL, tar_of(tmp_path / "v")).version
    assert until_healthy(client, client.deploy(MODEL, version), 60).state == "healthy"
    client.promote(MODEL, version, None, "the first")
    token = client.issue_token("shop", [MODEL]).token
    _until(lambda: _predict(platform, token).status_code == 200)  # tokens travel with the routes
    platform.compose("restart", "gateway", "control")
    _until(lambda: _predict(platform, token).status_code == 200)


def test_people_work_in_containers_of_their_own(platform: Composed) -> None:
    """The hub, itself in a container, starts one for who logs in; the Monitor asks for a login."""
    url = f"http://127.0.0.1:{platform.settings.hub.port}"
    _until(lambda: httpx.get(f"{url}/hub/login").status_code == 200)
    told = platform.tiltyard("hub", "user", "add", "ann", "--group", "scientists")
    password = told.split()[-1]
    _until(lambda: httpx.get(f"{url}/services/monitor/").status_code == 302)
    with Visitor(url) as ann:
        ann.login("ann", password)
        asked = ann.call("POST", "/users/ann/server")
        assert asked.is_success, asked.text
        _until(lambda: ann.call("GET", "/users/ann").json()["servers"][""]["ready"])
    assert "server" in _roles(platform)


def test_a_run_is_executed_in_a_container(platform: Composed) -> None:
    """The runner, itself in a container, starts it, and it writes a history."""
    make_pipeline(platform.settings.path("pipelines"), [PREPARE], step="prepare")
    assert "succeeded" in platform.tiltyard("control", "run", "prepare", "demo")


def test_the_doctor_finds_the_processes(platform: Composed) -> None:
    """Although there is no `tiltyard up`."""
    told = platform.compose("exec", "-T", "control", "sh", "-c", "tiltyard doctor || true")
    assert "its processes run without it" in told
    assert "does not answer" not in told


def _predict(platform: Composed, token: str) -> httpx.Response:
    row = {k: v for k, v in rows_of(wide_frame(1))[0].items() if k != "y"}
    url = f"{platform.settings.gateway_url}/models/{MODEL}/predict"
    headers = {"authorization": f"Bearer {token}"}
    return httpx.post(url, json={"rows": [row]}, headers=headers, timeout=30)


def _roles(platform: Composed) -> set[str]:
    """Return what there are containers for."""
    with closing(connect(platform.settings)) as engine:
        found = engine.containers.list(filters=filters(platform.settings))
        return {container.labels[ROLE] for container in found}


def _health(platform: Composed) -> bool:
    return httpx.get(f"{platform.settings.control_url}/api/v1/health").status_code == 200


def _until(done: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            if done():
                return
        except (httpx.TransportError, TiltyardError):
            pass
        assert time.monotonic() < end
        time.sleep(0.2)
