"""A real hub with its proxy, and people who visit it with a browser's manners."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any, Self

import httpx
import psutil
from typer.testing import CliRunner

from tiltyard.cli.app import app
from tiltyard.cli.home import make_home, make_hub_tokens
from tiltyard.client.hub import HubClient
from tiltyard.settings import LOOPBACK, load_settings

READY_S = 120.0
DIES_WITH_US = ("setpriv", "--pdeathsig", "TERM", sys.executable)
"""Runs Python so that it is ended when a test run is killed; of util-linux."""

PASSWORDS = {
    "vera": "vera's-look-2031",
    "sam": "train-a-lot-2032",
    "pat": "choose-well-2033",
    "olga": "keep-it-up-2034",
}
GROUPS = {
    "vera": ["viewers"],
    "sam": ["scientists", "rentals"],
    "pat": ["promoters", "rentals"],
    "olga": ["operators"],
}


class HubSite:
    """Hub and proxy of one home, without the rest of Tiltyard.

    Args:
        folder: everything is kept below it.
        settings: more environment, such as ``TILTYARD_HUB__AUTHENTICATOR``.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        self.home = folder / "home"
        self.environment = {**os.environ, **hub_environment(folder), **settings}
        self._processes: list[subprocess.Popen[bytes]] = []
        port = self.environment["TILTYARD_HUB__PORT"]
        self.url = f"http://{LOOPBACK}:{port}"
        self.api = f"http://{LOOPBACK}:{self.environment['TILTYARD_HUB__API_PORT']}/hub/api"

    def __enter__(self) -> Self:
        made = load_settings(home=self.home)
        make_home(made)
        make_hub_tokens(made)
        (self.home / "logs").mkdir(exist_ok=True)
        try:
            for name in ("proxy", "hub"):
                self._start(name)
            wait_for(self._answers, READY_S, self.logs)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._end_servers()

    def _end_servers(self) -> None:
        """End people's servers: they outlive a hub that ends without `tiltyard up`."""
        users = str(self.home / "users")
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("HOME", "").startswith(users):
                    process.kill()

    def run(self, *words: str, text: str | None = None) -> "subprocess.CompletedProcess[str]":
        """Run a command of `tiltyard` to its end, with a text on standard input."""
        return run_tiltyard(self.environment, *words, text=text)

    def token(self, name: str) -> str:
        """Return a local token."""
        return (self.home / "tokens" / name).read_text().strip()

    def user(self, name: str) -> dict[str, Any]:
        """Return the hub's document of a user, as control asks for it, its groups in order."""
        answer = httpx.get(
            f"{self.api}/users/{name}",
            headers={"authorization": f"token {self.token('hub-control')}"},
            trust_env=False,
        )
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return {**found, "groups": sorted(found["groups"])}

    def restart(self) -> None:
        """Start a hub again that was killed, and wait until it answers."""
        self._start("hub")
        wait_for(lambda: answers(f"{self.api}/"), READY_S, self.logs)

    def kill(self) -> None:
        """Kill the hub, but not its proxy."""
        hub = self._processes.pop()
        hub.kill()
        hub.wait()

    def logs(self) -> str:
        """Return the end of every log, for a failed test."""
        files = sorted((self.home / "logs").glob("*.log"))
        return "\n".join(f"== {f.name}\n{f.read_text()[-3000:]}" for f in files)

    def _start(self, name: str) -> None:
        module = {"hub": "tiltyard.hub", "proxy": "tiltyard.hub.proxy"}[name]
        with (self.home / "logs" / f"{name}.log").open("ab") as log:
            self._processes.append(
                subprocess.Popen(
                    [*DIES_WITH_US, "-m", module],
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            )

    def _answers(self) -> bool:
        assert all(p.poll() is None for p in self._processes), self.logs()
        return answers(f"{self.url}/hub/health")


class Visitor:
    """One person's browser: cookies, forms, and the page's token for calls by script."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(
            base_url=url, follow_redirects=True, timeout=60, trust_env=False, headers=_BROWSER
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def login(self, name: str, password: str, path: str = "/hub/login") -> httpx.Response:
        """Fill in the login form; return the page that comes of it."""
        form = self.http.get(path)
        return self.http.post(
            unescape(_FORM.findall(form.text)[0]),
            data={"username": name, "password": password, "_xsrf": self.xsrf(form)},
        )

    def call(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Call the hub's API as its pages do."""
        headers = {"x-xsrftoken": self.xsrf(self.http.get("/hub/home")), **_SCRIPT}
        return self.http.request(method, f"/hub/api{path}", headers=headers, **request)

    def token(self, name: str) -> str:
        """Make an API token with the person's own rights."""
        answer = self.call("POST", f"/users/{name}/tokens", json={"note": "test"})
        answer.raise_for_status()
        return str(answer.json()["token"])

    def xsrf(self, page: httpx.Response) -> str:
        """Return what a page's forms and scripts send along."""
        found = _XSRF.findall(page.text) or _JS_XSRF.findall(page.text)
        return str(found[0])


_BROWSER = {"sec-fetch-mode": "navigate", "accept": "text/html"}
_SCRIPT = {"sec-fetch-mode": "cors", "accept": "application/json"}
_FORM = re.compile(r'<form action="([^"]+)"')
_XSRF = re.compile(r'name="_xsrf" value="([^"]+)"')
_JS_XSRF = re.compile(r'xsrf_token: "([^"]+)"')


def hub_environment(folder: Path) -> dict[str, str]:
    """Return the environment of a home with free ports for everything."""
    names = ("CONTROL", "GATEWAY", "HUB", "MONITOR")
    ports = {f"TILTYARD_{name}__PORT": str(free_port()) for name in names}
    return {
        "TILTYARD_HOME": str(folder / "home"),
        "TILTYARD_CONFIG": str(folder / "tiltyard.toml"),
        "TILTYARD_PIPELINES__PATH": str(Path(__file__).parents[2] / "pipelines"),
        "TILTYARD_HUB__API_PORT": str(free_port()),
        "TILTYARD_HUB__PROXY_API_PORT": str(free_port()),
        **ports,
    }


def add_people(api: str, token: str) -> None:
    """Make a user of each role, as `tiltyard user add` does; ``token`` is the command line's."""
    with HubClient(api, token) as hub:
        for name, password in PASSWORDS.items():
            hub.add(name)
            hub.set_password(name, password)
            hub.join(name, GROUPS[name])


def run_tiltyard(
    environment: dict[str, str], *words: str, text: str | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a command of `tiltyard` to its end; `tiltyard user` in this process, being quicker."""
    if words[0] == "user":
        own = {name: value for name, value in environment.items() if name.startswith("TILTYARD_")}
        result = CliRunner(env={**own, "COLUMNS": "200"}).invoke(app, list(words), input=text)
        return subprocess.CompletedProcess(words, result.exit_code, result.stdout, result.stderr)
    return subprocess.run(
        [sys.executable, "-m", "tiltyard.cli", *words],
        env=environment,
        input=text,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def answers(url: str) -> bool:
    """Return whether a URL is answered with success."""
    try:
        return httpx.get(url, timeout=5, trust_env=False).is_success
    except httpx.TransportError:
        return False


def wait_for(condition: Callable[[], bool], timeout_s: float, why: Callable[[], str] = str) -> None:
    """Wait until something holds."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, why()
        time.sleep(0.1)


def free_port() -> int:
    """Return a port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
