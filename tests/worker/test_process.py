"""``python -m tiltyard.worker`` as a process, with a real control, spool, store and scorers."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from support.control import Control, make_home, serve
from support.raw import Raw, read
from support.recompute import Edges, check_summaries
from support.worker import fill_spool, wait_for
from support.yard import MODEL, TARGET, ScorerProcess, Versions, history
from tiltyard.client.control import ControlClient
from tiltyard.client.frames import to_batches

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROWS = 400

PATIENCE_S = 120.0


class Place:
    """A home folder with a control, two deployed versions and workers.

    Attributes:
        settings: of the home.
    """

    def __init__(self, folder: Path) -> None:
        self.settings = make_home(folder / "home")
        self._control = ExitStack()
        self._stack = ExitStack()
        self._url = ""
        self.client: ControlClient | None = None
        self.scorers: list[ScorerProcess] = []

    def open(self, versions: Versions) -> None:
        """Serve control, deploy versions 1 and 3, start their scorers."""
        control = self._control.enter_context(serve(self.settings))
        self._url = control.url
        tokens = self.settings.path("tokens")
        tokens.mkdir()
        (tokens / "worker").write_text(control.tokens["worker"])
        self.client = client = control.client()
        schema, batches = to_batches(history())
        client.put_history(MODEL, schema, batches, task="regression", target=TARGET)
        for version in (1, 3):
            self._deploy(control, versions, version)

    def _deploy(self, control: Control, versions: Versions, version: int) -> None:
        client = control.client()
        with tempfile.TemporaryFile() as file:
            with tarfile.open(fileobj=file, mode="w") as tar:
                tar.add(versions.folder(version), "")
            file.seek(0)
            number = client.add_version(MODEL, file).version
        deployment = client.deploy(MODEL, number)
        client.set_deployment(deployment.id, "healthy")
        socket = Path(deployment.endpoints[0].removeprefix("unix:"))
        socket.parent.mkdir(parents=True)
        scorer = ScorerProcess(versions.folder(version), socket, number)
        scorer.start()
        self.scorers.append(scorer)
        self._stack.callback(scorer.kill)

    def tasks(self) -> dict[str, Any]:
        """Return what the worker tells of its tasks."""
        tasks: dict[str, Any] = json.loads(self.settings.path("worker.json").read_text())["tasks"]
        return tasks

    def stop_control(self) -> None:
        """Take control away."""
        self._control.close()

    def close(self) -> None:
        """End everything."""
        self._stack.close()
        self._control.close()

    def worker(self, **more: str) -> "subprocess.Popen[bytes]":
        """Start a worker, which is killed with the place at the latest."""
        environment = {
            **os.environ,
            "TILTYARD_HOME": str(self.settings.home),
            "TILTYARD_CLIENT__URL": self._url,
            "TILTYARD_WORKER__LEASE_S": "1",
            "TILTYARD_CONFIG": "/nowhere",
            **more,
        }
        process = subprocess.Popen([sys.executable, "-m", "tiltyard.worker"], env=environment)
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process

    def fill(self, count: int = ROWS) -> None:
        """Let a gateway write answers of version 1."""
        row = {"x": 1.0, "y": 0.5, "part": "noon"}
        fill_spool(self.settings.path("spool", "gateway"), count, model=MODEL, row=row)

    def raw(self) -> Raw:
        """Return the store's rows."""
        return read(self.settings.path("store.db"), MODEL)

    def scored(self) -> int:
        """Return how many rows version 2 has scored."""
        return len(self.raw().scores)

    def summarised(self) -> bool:
        """Whether summaries are there and count every answer and score."""
        raw = self.raw()
        days = [s["rows"] for (width, v, _), s in raw.rollups.items() if width == "day" and v]
        return bool(days) and sum(days) == len(raw.predictions) + len(raw.scores)


@pytest.fixture
def place(versions: Versions) -> Iterator[Place]:
    """Give a place whose sockets have short paths."""
    folder = Path(tempfile.mkdtemp(prefix="ty"))
    place = Place(folder)
    try:
        place.open(versions)
        yield place
    finally:
        place.close()
        shutil.rmtree(folder)


def end(process: "subprocess.Popen[bytes]") -> float:
    """Send SIGTERM; return how many seconds the process took to end well."""
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    return time.monotonic() - begun


def test_a_worker_does_all_its_tasks_and_ends_quickly(place: Place, versions: Versions) -> None:
    """Relay, followers and summaries from one process; SIGTERM ends it within 3 s."""
    worker = place.worker()
    wait_for(lambda: place.settings.path("worker-routes.json").exists(), PATIENCE_S)
    place.fill()
    wait_for(lambda: place.scored() == ROWS, PATIENCE_S)
    wait_for(place.summarised, PATIENCE_S)
    raw = place.raw()
    manifests = {1: versions.manifest(1), 2: versions.manifest(3)}
    outputs = {number: manifest.histograms[TARGET] for number, manifest in manifests.items()}
    assert check_summaries(raw, Edges(manifests[1].histograms, outputs)) > 10
    wait_for(lambda: place.tasks()["relay:1"]["sent"] == ROWS, PATIENCE_S)
    assert place.tasks()["follow:yard:2"]["scored"] == ROWS
    assert place.client is not None
    place.client.retire(MODEL, 2)
    wait_for(lambda: "follow:yard:2" not in place.tasks(), PATIENCE_S)
    assert end(worker) < 3


def test_control_being_away_stops_neither_relay_nor_followers(place: Place) -> None:
    """A worker that starts without control goes on with the last routes, kept on disk."""
    first = place.worker()
    wait_for(lambda: place.settings.path("worker-routes.json").exists(), PATIENCE_S)
    end(first)
    place.stop_control()
    worker = place.worker()
    place.fill()
    wait_for(lambda: place.scored() == ROWS, PATIENCE_S)
    assert end(worker) < 3


def test_a_frozen_scorer_does_not_hold_the_end_up(place: Place) -> None:
    """A follower that waits for an answer delays neither the relay nor the worker's end."""
    worker = place.worker()
    place.fill(10)
    wait_for(lambda: place.scored() == 10, PATIENCE_S)
    place.scorers[1].freeze()
    place.fill(10)
    wait_for(lambda: len(place.raw().predictions) == 20, PATIENCE_S)
    time.sleep(1)
    assert end(worker) < 3
    assert place.scored() == 10


def test_workers_killed_in_turn_do_everything_once(place: Place) -> None:
    """Two workers, one killed and replaced again and again: each row once, none missed."""
    rng = random.Random(1)
    workers = [place.worker(), place.worker()]
    wait_for(lambda: place.settings.path("worker-routes.json").exists(), PATIENCE_S)
    for _ in range(4):
        place.fill(500)
        time.sleep(rng.uniform(0.5, 1.5))
        workers[0].kill()
        workers = [workers[1], place.worker()]
    wait_for(lambda: place.scored() == 2_000, PATIENCE_S)
    wait_for(place.summarised, PATIENCE_S)
    raw = place.raw()
    assert len(raw.predictions) == 2_000
    assert {(g, s) for _, g, s in raw.scores} == raw.predictions.keys()


def test_a_worker_without_a_token_says_so(tmp_path: Path) -> None:
    """Before `tiltyard up` has made the token the worker ends with the reason."""
    environment = {**os.environ, "TILTYARD_HOME": str(tmp_path), "TILTYARD_CONFIG": "/nowhere"}
    command = [sys.executable, "-m", "tiltyard.worker"]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 3
    assert "No token for control" in done.stderr
    assert "Traceback" not in done.stderr
