"""A whole Tiltyard with its hub, and a user of each role."""

import time
from pathlib import Path
from typing import Any

import httpx

from loop.yard import Yard
from support.hub import PASSWORDS, Visitor, add_people, hub_environment, run_tiltyard

SPAWN_S = 90.0


class PeopledYard(Yard):
    """`tiltyard up` with hub and proxy, where vera, sam, pat and olga have a role each."""

    def __init__(self, folder: Path, **settings: str) -> None:
        super().__init__(
            folder, **{**hub_environment(folder), "TILTYARD_HUB__ENABLED": "true", **settings}
        )
        self.control_url = f"http://127.0.0.1:{self.environment['TILTYARD_CONTROL__PORT']}"
        self.gateway_url = f"http://127.0.0.1:{self.environment['TILTYARD_GATEWAY__PORT']}"
        self.url = f"http://127.0.0.1:{self.environment['TILTYARD_HUB__PORT']}"
        self.api = f"http://127.0.0.1:{self.environment['TILTYARD_HUB__API_PORT']}/hub/api"

    def add_people(self) -> None:
        """Make a user of each role, with the groups and passwords of ``support.hub``."""
        add_people(self.api, (self.home / "tokens" / "hub-cli").read_text().strip())

    def run(self, *words: str, text: str | None = None) -> Any:
        """Run a command of `tiltyard` to its end, with a text on standard input."""
        return run_tiltyard(self.environment, *words, text=text)

    def visitor(self, name: str | None = None) -> Visitor:
        """Return a browser, logged in as somebody or nobody."""
        visitor = Visitor(self.url)
        if name is not None:
            page = visitor.login(name, PASSWORDS[name])
            assert page.status_code < 400 or "services/monitor" in str(page.url), page.text
        return visitor

    def start_server(self, visitor: Visitor, name: str) -> str:
        """Start a user's server and wait until it answers; return its base path."""
        answer = visitor.call("POST", f"/users/{name}/server")
        assert answer.status_code in {201, 202, 400}, answer.text  # 400: it runs already
        end = time.monotonic() + SPAWN_S
        while not (visitor.call("GET", f"/users/{name}").json().get("server")):
            assert time.monotonic() < end, self.logs()
            time.sleep(0.2)
        return f"/user/{name}"

    def printed(self) -> str:
        """Return what `tiltyard up` has printed."""
        return (self.folder / "up.out").read_text()

    def hub_user(self, token: str) -> dict[str, Any]:
        """Return the hub's ``/user`` document of a token."""
        answer = httpx.get(
            f"{self.api}/user", headers={"authorization": f"token {token}"}, trust_env=False
        )
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found
