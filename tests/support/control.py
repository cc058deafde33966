"""A real control in a thread, on a real registry and store."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import uvicorn
from fastapi import FastAPI

from tiltyard.client.control import ControlClient
from tiltyard.client.frames import to_batches
from tiltyard.client.transport import PREFIX
from tiltyard.control.__main__ import ControlServer, listen
from tiltyard.control.app import create_app
from tiltyard.control.parts import Parts
from tiltyard.registry import open_registry
from tiltyard.settings import Settings
from tiltyard.types.registry import Scope

GROUP = "lab"


@dataclass
class Control:
    """A served control and callers of every kind."""

    url: str
    app: FastAPI
    tokens: dict[str, str]
    stack: ExitStack
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
        return httpx.request(
            method, self.url + PREFIX + path, headers=headers, timeout=20, **request
        )


def make_home(folder: Path, **sections: Any) -> Settings:
    """Return settings of a home whose registry is set up."""
    settings = Settings(home=folder, runtime_dir=str(folder / "s"), **sections)
    open_registry(settings.registry_url, migrate=True).close()
    return settings


def issue_tokens(settings: Settings) -> dict[str, str]:
    """Make a token for each scope, of one group, and one of another group."""
    with open_registry(settings.registry_url) as registry:
        issue = registry.tokens.issue_principal
        tokens = {scope.value: issue(scope.value, [scope], [GROUP], "test") for scope in Scope}
        tokens["stranger"] = issue("stranger", [Scope.PROMOTER], ["others"], "test")
    return {name: issued.token for name, issued in tokens.items()}


@contextmanager
def serve(settings: Settings) -> Iterator[Control]:
    """Serve control on a free port of this process until the context ends."""
    tokens = issue_tokens(settings)
    app = create_app(settings)
    config = uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=2)
    server = ControlServer(config, app)
    with listen("127.0.0.1", 0) as listener, ExitStack() as stack:
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        _wait(lambda: server.started or not thread.is_alive())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            yield Control(url, app, tokens, stack)
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


def _wait(condition: Any, seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "control did not start"
        time.sleep(0.01)
