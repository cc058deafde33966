"""A real gateway without control: it starts from its disk, in front of real scorers."""

import hashlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx

from tiltyard.errors import TiltyardError
from tiltyard.gateway.saved import SavedRoutes, save_routes
from tiltyard.scoring.client import ScorerClient
from tiltyard.spool import SpoolReader, open_spool
from tiltyard.types.records import LogRecord
from tiltyard.types.registry import VersionManifest
from tiltyard.types.routes import ApplicationToken, ModelRoute, RouteTable, VersionRoute
from tiltyard.types.schema import CallSchema, Column, ColumnType, Task

TOKEN = "application-token"
ID_KEY = "ab" * 32
GATEWAY = 1
STARTUP_S = 30.0

ROW: dict[str, Any] = {
    "hour": 7,
    "weather": "rain",
    "holiday": False,
    "temperature": 12.5,
    "at": "2012-03-04T05:06:07.089+02:00",
    "day": "2012-03-04",
    "note": 'a: "b": c',
}
"""A good row of the tests' models."""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Scorer:
    """A scorer process of a version's folder; its socket's path is the same after a restart."""

    def __init__(self, folder: Path, engine: str, path: Path, version: int = 1) -> None:
        self._arguments = ["--folder", str(folder), "--engine", engine, "--socket", str(path)]
        self._arguments += ["--version", str(version)]
        self.path = path
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """As it stands in a route."""
        return f"unix:{self.path}"

    def start(self) -> None:
        """Start, and wait until it greets."""
        command = [sys.executable, "-m", "tiltyard.scoring", *self._arguments]
        self.process = subprocess.Popen(command)
        end = time.monotonic() + STARTUP_S
        while not self._greets():
            assert self.process.poll() is None, "the scorer ended"
            assert time.monotonic() < end, "the scorer does not greet"
            time.sleep(0.05)

    def _greets(self) -> bool:
        try:
            ScorerClient(self.endpoint, timeout=5).close()
        except TiltyardError:
            return False
        return True

    def kill(self) -> None:
        """End it as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)


class Gateway:
    """A gateway process on a home folder."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = dict(environment)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, ready: bool = True) -> None:
        """Start; wait until it is ready, or at least alive."""
        environment = {
            **os.environ,
            "TILTYARD_HOME": str(self.home),
            "TILTYARD_GATEWAY__PORT": str(self.port),
            "TILTYARD_CLIENT__URL": "http://127.0.0.1:9",
            **self._environment,
        }
        command = [sys.executable, "-m", "tiltyard.gateway"]
        log = (self.home / "gateway.log").open("ab")
        with log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        self.wait("/readyz" if ready else "/healthz")

    def wait(self, path: str) -> None:
        """Wait until a path answers 200."""
        end = time.monotonic() + STARTUP_S
        while not self._answers(path):
            assert self.process is not None
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < end, self.log()
            time.sleep(0.05)

    def _answers(self, path: str) -> bool:
        try:
            return httpx.get(self.url + path, timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def log(self) -> str:
        """Return what it logged."""
        return (self.home / "gateway.log").read_text()

    def stop(self, number: int = signal.SIGTERM, timeout: float = 10) -> int:
        """Send a signal; return the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout)

    def end(self) -> None:
        """Be gone, whatever state it is in."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def records(self) -> list[LogRecord]:
        """Return all durable records of its spool."""
        reader = SpoolReader(self.home / "spool" / "gateway")
        try:
            return reader.read(0, 10_000_000)
        finally:
            reader.close()

    def post(self, model: str, verb: str, body: Any, token: str = TOKEN) -> httpx.Response:
        """Send a call with a JSON body."""
        headers = {"authorization": f"Bearer {token}"}
        url = f"{self.url}/models/{model}/{verb}"
        return httpx.post(url, json=body, headers=headers, timeout=40)

    def predict(self, model: str, *rows: Mapping[str, Any]) -> httpx.Response:
        """Send rows."""
        return self.post(model, "predict", {"rows": list(rows)})


def model_route(
    manifest: VersionManifest,
    endpoints: Sequence[str],
    *,
    number: int = 1,
    target_type: ColumnType | None = None,
    event_time: str | None = None,
    extra: Sequence[Column] = (),
) -> ModelRoute:
    """Return the route of a model whose only version is this one, as champion."""
    signature = manifest.signature
    schema = CallSchema(
        columns=(*signature.inputs, *extra),
        target=signature.output.name,
        target_type=target_type or signature.output.type,
        event_time=event_time,
    )
    champion = VersionRoute(
        version=1, deployment="d1", signature=signature, endpoints=tuple(endpoints)
    )
    return ModelRoute(
        name=manifest.model,
        number=number,
        task=Task(manifest.task),
        call_schema=schema,
        champion=champion if endpoints else None,
    )


def make_table(*models: ModelRoute, number: int = 1) -> RouteTable:
    """Return a table whose one application may call all its models."""
    token = ApplicationToken(
        sha256=hashlib.sha256(TOKEN.encode()).hexdigest(),
        name="application",
        models=tuple(m.name for m in models),
    )
    return RouteTable(number=number, models=models, tokens=(token,), id_key=ID_KEY)


def prepare_home(home: Path, table: RouteTable) -> None:
    """Leave on the disk what a registered gateway leaves there."""
    spool = open_spool(home / "spool" / "gateway")
    saved = SavedRoutes(spool=spool.spool, gateway=GATEWAY, registered=True, table=table)
    save_routes(home / "routes.json", saved)


@contextmanager
def running(
    home: Path, table: RouteTable, *scorers: Scorer, **environment: str
) -> Iterator[Gateway]:
    """Run scorers and a gateway with these routes; end them all."""
    home.mkdir(exist_ok=True)
    with ExitStack() as stack:
        for scorer in scorers:
            stack.callback(scorer.kill)
            scorer.start()
        prepare_home(home, table)
        gateway = Gateway(home, environment)
        stack.callback(gateway.end)
        gateway.start()
        yield gateway


def socket_path(folder: Path) -> Path:
    """Return a short path for a scorer's socket."""
    return Path("/tmp") / f"ty-{os.getpid()}-{secrets.token_hex(4)}-{folder.name[:8]}.sock"  # noqa: S108  a socket's path must be short
