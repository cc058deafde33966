"""Scorers in containers that are killed, removed, or lose their engine, under load."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from loop.checks import doubled, lost, relayed, settle
from loop.conftest import Furnish
from loop.yard import Load, Yard, docker_settings, wait_for
from support.control import tar_of
from support.engine import OwnEngine
from support.raw import read
from support.runtimes import DockerRuntime
from support.yard import MODEL, Versions
from tiltyard.client.control import ControlClient
from tiltyard.errors import UnavailableError
from tiltyard.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

BACK_S = 5.0
"""So soon calls are to be answered again, on a machine without other work."""

PATIENCE_S = 60.0


def runtime_of(yard: Yard, **docker: str) -> DockerRuntime:
    """Return a yard's containers."""
    return DockerRuntime(Settings(home=yard.home, runtime="docker", docker=docker))


def answered(load: Load, what: str, *, quick: bool = False) -> None:
    """Wait until a call that begins after now is answered; ``quick`` sees that it is so soon."""
    begun = time.monotonic()
    wait_for(lambda: any(line[4] > begun for line in load.acknowledged()[-50:]), PATIENCE_S, what)
    took = time.monotonic() - begun
    print(f"answered {took:.1f} s after {what}")
    assert not quick or took < BACK_S


def call(yard: Yard, token: str, row: dict[str, Any]) -> tuple[int, Any]:
    """Send one row; return status and body."""
    headers = {"authorization": f"Bearer {token}"}
    url = f"{yard.gateway_url}/models/{MODEL}/predict"
    answer = httpx.post(url, json={"rows": [row]}, headers=headers, timeout=40)
    return answer.status_code, answer.json()


def healthy(client: ControlClient, version: int) -> bool:
    """Whether a version's newest deployment is healthy."""
    ours = [d for d in client.deployments(MODEL) if d.version == version]
    return ours[-1].state == "healthy"


def test_a_container_killed_or_removed_behind_our_back(
    docker_yard: Yard, docker_token: str, tmp_path: Path, long_rounds: bool
) -> None:
    """The champion is back soon on its socket, and nothing acknowledged is lost."""
    runtime = runtime_of(docker_yard)
    with closing(runtime.client), docker_yard.client() as client:
        champion = client.model(MODEL).champion
        load = Load(docker_yard, MODEL, docker_token, tmp_path, "--seed", "removed")
        answered(load, "the start")
        deployment = next(d for d in client.deployments(MODEL) if d.version == champion)
        for harm in ("kill", "stop", "remove"):
            (container,) = runtime.containers(version=str(champion))
            if harm == "kill":
                runtime.kill(deployment)
            elif harm == "stop":
                container.stop(timeout=1)
            else:
                container.remove(force=True)
            answered(load, harm, quick=long_rounds)
            (now,) = runtime.containers(deployment=deployment.id)
            assert (now.id == container.id) == (harm != "remove")
        load.end()
    raw = settle(docker_yard, load)
    assert lost(load.acknowledged(), raw) == []
    assert doubled(load.acknowledged(), raw) == []


def test_containers_run_on_when_everything_else_is_killed(
    docker_yard: Yard, docker_token: str
) -> None:
    """Kill -9 of all of Tiltyard leaves the scorers, and the next start takes them up."""
    runtime = runtime_of(docker_yard)
    with closing(runtime.client):
        before = sorted((c.id, c.attrs["State"]["StartedAt"]) for c in runtime.containers())
        assert len(before) == 3
        docker_yard.kill_all()
        docker_yard.start()
        row = {"x": 1.0, "y": 0.5, "part": "noon"}
        wait_for(lambda: call(docker_yard, docker_token, row)[0] == 200, PATIENCE_S, "an answer")
        after = sorted((c.id, c.attrs["State"]["StartedAt"]) for c in runtime.containers())
        assert after == before
        with docker_yard.client() as client:
            wait_for(
                lambda: all(d.state == "healthy" for d in client.deployments(MODEL)), 30, "healthy"
            )


def test_a_row_that_kills_its_container(
    furnish: Furnish, images_lock: Path, versions: Versions, tmp_path: Path
) -> None:
    """It gets a 422, and others are served."""
    yard = Yard(tmp_path, **docker_settings(images_lock))
    try:
        yard.start()
        token = furnish(yard, 1)
        with yard.client() as client:
            assert client.add_version(MODEL, tar_of(versions.folder(4))).version == 2
            client.deploy(MODEL, 2, engine="sklearn")
            wait_for(lambda: healthy(client, 2), PATIENCE_S, "healthy")
            client.promote(MODEL, 2, 1, "to see a row kill it")
        good = {"x": 1.0, "y": 0.5, "part": "noon"}
        wait_for(lambda: call(yard, token, good)[0] == 200, PATIENCE_S, "an answer")
        status, body = call(yard, token, {**good, "x": 666.0})
        assert status == 422
        assert "predictions" not in body
        wait_for(lambda: call(yard, token, good)[0] == 200, PATIENCE_S, "an answer")
    finally:
        yard.stop()


@pytest.fixture
def own_engine(images_lock: Path) -> Iterator[OwnEngine]:
    """Give an engine that may be restarted."""
    folder = Path(tempfile.mkdtemp(prefix="tyd"))
    engine = OwnEngine(folder)
    try:
        engine.start()
        engine.load(images_lock)
        yield engine
    finally:
        engine.remove()
        shutil.rmtree(folder, ignore_errors=True)


def test_the_engine_restarts_and_its_disk_is_full(
    own_engine: OwnEngine,
    furnish: Furnish,
    versions: Versions,
    images_lock: Path,
    tmp_path: Path,
    long_rounds: bool,
) -> None:
    """All containers end with it; soon after it is back calls are answered, none is lost.

    While it is away, and while its disk is full, who deploys is told so.
    """
    settings = {**docker_settings(images_lock), "TILTYARD_DOCKER__URL": own_engine.url}
    yard = Yard(tmp_path, **settings)
    try:
        yard.start()
        token = furnish(yard, 1)
        load = Load(yard, MODEL, token, tmp_path, "--seed", "engine")
        answered(load, "the start")
        own_engine.stop()
        time.sleep(1)
        with yard.client() as client:
            assert client.add_version(MODEL, tar_of(versions.folder(2))).version == 2
            with pytest.raises(UnavailableError, match="start it"):
                client.deploy(MODEL, 2)
        own_engine.start()
        answered(load, "the engine is back", quick=long_rounds)
        filler = own_engine.fill()
        with yard.client() as client:
            client.deploy(MODEL, 2, engine="sklearn")
            wait_for(lambda: "disk" in (client.deployments(MODEL)[-1].reason or ""), 30, "a reason")
            filler.unlink()
            wait_for(lambda: healthy(client, 2), 60, "healthy")
        load.end()
        wait_for(lambda: relayed(yard, load), 60, "relayed")
        assert lost(load.acknowledged(), read(yard.home / "store.db", MODEL)) == []
    finally:
        yard.stop()
