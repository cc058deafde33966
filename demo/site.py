"""One Tiltyard with a home of its own: `tiltyard up` and the other commands as processes."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from demo import screen

ROOT = Path(__file__).parent.parent
START_S = 60.0
STOP_S = 15.0
MARK = "demo"
"""File that tells a home of the demo, which may be removed, from any other."""


@dataclass(frozen=True)
class Outcome:
    """What a command printed and its exit code."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """What it printed with ``--json``."""
        return json.loads(self.stdout)


class Site:
    """A home folder with its processes; leaving it stops them.

    Args:
        home: its folder.
        images: record of the images that everything runs in; None runs processes.

    Raises:
        StepFailedError: `tiltyard up` does not become ready.
    """

    def __init__(self, home: Path, images: Path | None = None) -> None:
        self.home = home
        ports = free_ports(8700, 6)
        self.control_port, self.gateway_port, hub, hub_api, proxy_api, monitor = ports
        self.hub_url = f"http://127.0.0.1:{hub}/"
        self.config = home / "tiltyard.toml"
        docker = "" if images is None else f'runtime = "docker"\nimages.lock = "{images}"\n'
        self.config.write_text(
            f"{docker}[control]\nport = {self.control_port}\n"
            f"[gateway]\nport = {self.gateway_port}\n"
            f"[hub]\nport = {hub}\napi_port = {hub_api}\nproxy_api_port = {proxy_api}\n"
            f"[monitor]\nport = {monitor}\n"
            "[runner]\nconcurrency = 2\n"
            f"[pipelines]\npath = {json.dumps(str(ROOT / 'pipelines'))}\n"
        )
        self._up: subprocess.Popen[bytes] | None = None

    @property
    def gateway_url(self) -> str:
        """Where applications call."""
        return f"http://127.0.0.1:{self.gateway_port}"

    @property
    def monitor_url(self) -> str:
        """Where people look."""
        return f"{self.hub_url}services/monitor/"

    def __enter__(self) -> "Site":
        screen.command(["tiltyard", "up"])
        ready = self.home / "ready"
        ready.unlink(missing_ok=True)
        self._up = subprocess.Popen(  # noqa: S603  Tiltyard itself
            [*_tiltyard(), "up", "--ready-file", str(ready)],
            env=self._environment(),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches the demo, which stops it in order
        )
        end = time.monotonic() + START_S
        while not ready.exists():
            if self._up.poll() is not None or time.monotonic() > end:
                self._stop(self._up)
                raise screen.StepFailedError(f"`tiltyard up` starts; see {self.home}/logs")
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        if self._up is not None:
            self._stop(self._up)

    def run(
        self, *words: str, expect: int | None = 0, quiet: bool = False, given: str | None = None
    ) -> Outcome:
        """Run a command of `tiltyard`.

        Args:
            *words: after ``tiltyard``.
            expect: the exit code that it must have; None for any.
            quiet: do not show it.
            given: its standard input.

        Raises:
            StepFailedError: it exits otherwise.
        """
        if not quiet:
            screen.command(["tiltyard", *(word for word in words if word != "--json")])
        done = subprocess.run(  # noqa: S603  Tiltyard itself
            [*_tiltyard(), *words],
            env=self._environment(),
            cwd=ROOT,
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        if expect is not None and done.returncode != expect:
            raise screen.StepFailedError(
                f"`tiltyard {' '.join(words)}` exits {expect}; it exited {done.returncode}: "
                f"{done.stderr.strip() or done.stdout.strip()}"
            )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def ask(self, path: str, **parameters: object) -> Any:
        """Return control's answer to a GET, with the token of the command line.

        Raises:
            StepFailedError: it is an error.
        """
        token = (self.home / "tokens" / "cli").read_text().strip()
        answer = httpx.get(
            f"http://127.0.0.1:{self.control_port}/api/v1{path}",
            params={name: str(value) for name, value in parameters.items()},
            headers={"authorization": f"Bearer {token}"},
            timeout=60,
            trust_env=False,
        )
        if answer.is_error:
            raise screen.StepFailedError(f"control answers {path}: {answer.text}")
        return answer.json()

    def _stop(self, up: "subprocess.Popen[bytes]") -> None:
        if up.poll() is None:
            up.send_signal(signal.SIGINT)
        try:
            up.wait(STOP_S)
        except subprocess.TimeoutExpired:
            up.kill()  # its watchdog ends the rest
            up.wait()

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "TILTYARD_HOME": str(self.home),
            "TILTYARD_CONFIG": str(self.config),
        }


def make_home(home: Path) -> None:
    """Make the demo's folder anew.

    Raises:
        StepFailedError: the folder is not the demo's.
    """
    if home.exists() and any(home.iterdir()):
        if not (home / MARK).exists():
            raise screen.StepFailedError(f"{home} is empty, or was made by an earlier demo")
        shutil.rmtree(home)
    home.mkdir(parents=True, exist_ok=True)
    (home / MARK).write_text("made by scripts/demo, which removes it when it starts again\n")


def free_ports(first: int, count: int) -> list[int]:
    """Return ports that nothing listens on, near a first one if they can be had."""
    found: list[int] = []
    for wanted in range(first, first + count):
        found.append(free_port(wanted, *found))
    return found


def free_port(wanted: int, *taken: int) -> int:
    """Return a port that nothing listens on: the wanted one if it can be had."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found = int(probe.getsockname()[1])
            if found not in taken:
                return found
    raise screen.StepFailedError(f"a port near {wanted} is free")


def _tiltyard() -> list[str]:
    return [sys.executable, "-m", "tiltyard.cli"]
