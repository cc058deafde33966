"""A real control in a thread, on a real registry and store."""

import io
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pandas as pd
import uvicorn
from fastapi import FastAPI

from tiltyard.artifacts import listing, pack
from tiltyard.client.control import ControlClient
from tiltyard.client.frames import to_batches
from tiltyard.client.transport import PREFIX
from tiltyard.containers.listening import listen
from tiltyard.control.__main__ import ControlServer
from tiltyard.control.app import create_app
from tiltyard.control.parts import Parts
from tiltyard.registry import open_registry
from tiltyard.registry.clock import microseconds
from tiltyard.settings import Settings
from tiltyard.stores.base import relay_task
from tiltyard.types.records import ActualRecord, LogRecord, PredictionRecord
from tiltyard.types.registry import DeploymentState, Scope
from tiltyard.worker.summariser import Summariser

GROUP = "lab"

SIGNATURE: dict[str, Any] = {
    "inputs": [
        {"name": "temperature", "type": "float64", "nullable": True},
        {"name": "weather", "type": "category", "levels": ["rain", "sun"]},
    ],
    "output": {"name": "bikers", "type": "float64"},
}


@dataclass
class Control:
    """A served control and callers of every kind."""

    url: str
    app: FastAPI
    tokens: dict[str, str]
    stack: ExitStack
    http: httpx.Client
    _clients: dict[str, ControlClient] = field(default_factory=dict)

    @property
    def parts(self) -> Parts:
        """What control is made of."""
        parts: Parts = self.app.state.parts
        return parts

    def client(self, name: str = "operator") -> ControlClient:
        """Return a client: a scope's name, or ``stranger``, a promoter of another group."""
        if name not in self._clients:
            client = ControlClient(self.url, self.tokens[name])
            self._clients[name] = self.stack.enter_context(client)
        return self._clients[name]

    def call(
        self, method: str, path: str, name: str | None = "operator", **request: Any
    ) -> httpx.Response:
        """Return the raw answer to a call below the API's prefix."""
        headers = {"authorization": f"Bearer {self.tokens[name]}"} if name else {}
        headers |= request.pop("headers", {})
        return self.http.request(method, PREFIX + path, headers=headers, **request)


def make_home(folder: Path, **sections: Any) -> Settings:
    """Return settings of a home whose registry is set up and knows ``issue_tokens()``.

    There is no hub unless ``sections`` say so.
    """
    sections = {"hub": {"enabled": False}, **sections}
    settings = Settings(home=folder, runtime_dir=str(folder / "s"), **sections)
    folder.mkdir(parents=True, exist_ok=True)
    settings.path("registry.db").write_bytes(_template()[0])
    return settings


def issue_tokens(settings: Settings) -> dict[str, str]:
    """Return a token for each scope, of one group, and ``stranger``'s of another group.

    The registry of ``make_home`` knows them already; any other learns them now.
    """
    tokens = dict(_template()[1])
    with open_registry(settings.registry_url, migrate=True) as registry:
        if registry.tokens.principal(tokens["stranger"]) is None:
            for scope in Scope:
                registry.tokens.put_principal(scope.value, tokens[scope.value], [scope], [GROUP])
            stranger = tokens["stranger"]
            registry.tokens.put_principal("stranger", stranger, [Scope.PROMOTER], ["others"])
    return tokens


@cache
def _template() -> tuple[bytes, dict[str, str]]:
    # Migrating and issuing takes longer than most tests: it is done once.
    with TemporaryDirectory() as folder:
        file = Path(folder) / "registry.db"
        with open_registry(f"sqlite:///{file}", migrate=True) as registry:
            issue = registry.tokens.issue_principal
            tokens = {scope.value: issue(scope.value, [scope], [GROUP], "test") for scope in Scope}
            tokens["stranger"] = issue("stranger", [Scope.PROMOTER], ["others"], "test")
        return file.read_bytes(), {name: issued.token for name, issued in tokens.items()}


@contextmanager
def serve(settings: Settings, port: int = 0) -> Iterator[Control]:
    """Serve control in this process until the context ends, on a free port if none is given."""
    tokens = issue_tokens(settings)
    app = create_app(settings)
    config = uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=2)
    server = ControlServer(config, app)
    # Containers call a port that they were told.
    hosts = settings.listen_hosts("127.0.0.1") if port else ("127.0.0.1",)
    listeners = listen(hosts, port, name="control", backlog=128)
    with ExitStack() as listening, ExitStack() as stack:
        for bound in listeners:
            listening.enter_context(bound)
        thread = threading.Thread(target=server.run, args=(listeners,), daemon=True)
        thread.start()
        _wait(lambda: server.started or not thread.is_alive())
        url = f"http://127.0.0.1:{listeners[0].getsockname()[1]}"
        http = stack.enter_context(httpx.Client(base_url=url, timeout=20))
        try:
            yield Control(url, app, tokens, stack, http)
        finally:
            stack.close()
            server.should_exit = True
            thread.join(10)


def bikes_frame(rows: int = 6, start: str = "2024-01-01") -> pd.DataFrame:
    """Return a small history: hours, temperature with a gap, weather, and bikers."""
    at = pd.date_range(start, periods=rows, freq="h", tz="UTC")
    return pd.DataFrame(
        {
            "at": at,
            "temperature": [None if i == 1 else i / 2 for i in range(rows)],
            "weather": pd.Categorical(["sun" if i % 2 else "rain" for i in range(rows)]),
            "bikers": [10 * i for i in range(rows)],
        }
    )


def write_bikes(control: Control, frame: pd.DataFrame | None = None) -> str:
    """Write the history of the model bikes; return its digest."""
    schema, batches = to_batches(bikes_frame() if frame is None else frame)
    snapshot = control.client("scientist").put_history(
        "bikes", schema, batches, task="regression", target="bikers", event_time="at"
    )
    return snapshot.digest


def version_folder(
    folder: Path,
    *,
    model: str = "bikes",
    history: str | None = None,
    more: Mapping[str, bytes] | None = None,
    **changes: Any,
) -> Path:
    """Write a version's folder whose files and manifest fit together; no model is in it.

    ``more`` are further files, ``changes`` are of the manifest.
    """
    folder.mkdir(parents=True)
    for name, content in (more or {}).items():
        (folder / name).write_bytes(content)
    (folder / "model.joblib").write_bytes(json.dumps(changes, default=str).encode())
    manifest = {
        "model": model,
        "task": "regression",
        "language": "python",
        "engine": "sklearn",
        "signature": SIGNATURE,
        "metrics": {"rmse": 10.0},
        "histograms": {"temperature": [0.0, 1.0, 2.0, 3.0]},
        "provenance": {"history_digest": history},
        "files": listing(folder),
        "created_at": "2024-01-02T00:00:00Z",
        **changes,
    }
    (folder / "version.json").write_text(json.dumps(manifest))
    return folder


def tar_of(folder: Path) -> io.BytesIO:
    """Return a folder as a tar."""
    return io.BytesIO(b"".join(pack(folder)))


def add_version(control: Control, folder: Path, **changes: Any) -> int:
    """Register a version of bikes; different changes make different versions."""
    path = version_folder(folder, **changes)
    return control.client("scientist").add_version("bikes", tar_of(path)).version


def deploy(control: Control, *versions: int) -> None:
    """Deploy versions of bikes and let them be healthy."""
    for version in versions:
        deployment = control.client("scientist").deploy("bikes", version)
        control.client().set_deployment(deployment.id, DeploymentState.HEALTHY)


def log_rows(
    control: Control,
    values: Sequence[tuple[float, float | None]],
    *,
    version: int = 1,
    start: datetime = datetime(2024, 2, 1, tzinfo=UTC),
    gateway: int = 1,
    first: int = 1,
) -> None:
    """Put predictions of bikes with their actuals into the store, an hour apart."""
    records: list[LogRecord] = []
    for i, (value, actual) in enumerate(values):
        at = microseconds(start) + i * 3_600_000_000
        row = {"temperature": float(i), "weather": "sun", "at": start.isoformat()}
        seq = first + len(records)
        records.append(
            PredictionRecord(gateway, seq, "bikes", seq, at, at, version, row, value, None)
        )
        if actual is not None:
            records.append(
                ActualRecord(gateway, seq + 1, "bikes", seq + 1, at, gateway, seq, actual, at)
            )
    store = control.parts.store
    lease = store.acquire(relay_task(gateway), "test", 60)
    assert lease is not None
    store.append(lease, gateway, records)
    store.release(lease)


def summarise(control: Control, model: str = "bikes") -> None:
    """Summarise what the log holds, as the worker does."""
    registry, store = control.parts.registry, control.parts.store
    job = Summariser(
        model,
        lambda: registry.routes.table().model(model),
        lambda: {v.version: v.manifest for v in registry.versions.list(model)},
        store,
    )
    lease = store.acquire(job.task, "test", 600)
    assert lease is not None
    while store.dirty_chunks(model, 1):
        job.turn(lease)
    store.release(lease)


def _wait(condition: Any, seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "control did not start"
        time.sleep(0.01)
