"""A whole Tiltyard on a folder of its own: `tiltyard up` and what it starts."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from support.subnets import own_subnet
from tiltyard.client.control import ControlClient

HERE = Path(__file__).parent
READY_S = 120.0
"""A shared machine may be slow; how quick a start is, is measured elsewhere."""

PIECES = ("gateway", "scorer", "worker", "control", "runner")

DIES_WITH_US = ("setpriv", "--pdeathsig", "TERM", sys.executable)
"""Runs Python so that it is ended when a test run is killed; of util-linux."""


class Yard:
    """Starts, finds and kills the processes of one home folder.

    Args:
        folder: everything is kept below it.
        settings: more environment, such as ``TILTYARD_WORKER__LEASE_S``.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        self.home = folder / "home"
        self.folder = folder
        control, gateway = free_port(), free_port()
        self.control_url = f"http://127.0.0.1:{control}"
        self.gateway_url = f"http://127.0.0.1:{gateway}"
        self.environment = {
            **os.environ,
            "TILTYARD_HOME": str(self.home),
            "TILTYARD_CONFIG": str(folder / "tiltyard.toml"),
            "TILTYARD_HUB__ENABLED": "false",
            "TILTYARD_CONTROL__PORT": str(control),
            "TILTYARD_GATEWAY__PORT": str(gateway),
            "TILTYARD_WORKER__LEASE_S": "2",
            **settings,
        }
        self._up: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Pid of `tiltyard up`."""
        assert self._up is not None
        return self._up.pid

    def start(self) -> None:
        """Start `tiltyard up` and wait until it is ready."""
        ready = self.folder / "ready"
        ready.unlink(missing_ok=True)  # of an earlier start
        command = [*DIES_WITH_US, "-m", "tiltyard.cli", "up", "--ready-file", str(ready)]
        with (self.folder / "up.out").open("ab") as out:
            self._up = subprocess.Popen(
                command,
                env=self.environment,
                cwd=self.folder,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        wait_for(lambda: ready.exists() or self._up_ended(), READY_S, "ready")
        assert ready.exists(), (self.folder / "up.out").read_text()

    def stop(self) -> None:
        """End it as Ctrl-C does, and see that nothing is left."""
        if self._up is None:
            return
        self._up.send_signal(signal.SIGINT)
        try:
            self._up.wait(20)
        finally:
            self._clear()

    def client(self) -> ControlClient:
        """Return a client with the operator's local token."""
        token = (self.home / "tokens" / "cli").read_text().strip()
        return ControlClient(self.control_url, token)

    def kill(self, piece: str) -> None:
        """Kill one piece with SIGKILL; of several scorers each."""
        found = self.processes(piece)
        assert found, f"no {piece} runs"
        for process in found:
            process.kill()

    def kill_all(self) -> None:
        """Kill everything at once: `tiltyard up`, its watchdog and all children."""
        for process in self.processes():
            process.kill()
        self._clear()

    def processes(self, piece: str | None = None) -> list[psutil.Process]:
        """Return the processes of this home, or those of one child of `tiltyard up`."""
        found = []
        for process in psutil.process_iter():
            try:
                environment = process.environ()
            except psutil.Error:
                continue
            if self._ours(environment) and process.pid != os.getpid():
                mark = environment.get("TILTYARD_UP", "..").split(".")[1]
                if piece is None or mark == piece or (piece == "scorer" and _scores(process)):
                    found.append(process)
        return found

    def logs(self) -> str:
        """Return the end of every log, for a failed test."""
        files = sorted((self.home / "logs").glob("*.log"))
        return "\n".join(f"== {f.name}\n{f.read_text()[-3000:]}" for f in files)

    def _ours(self, environment: dict[str, str]) -> bool:
        """People's servers do not know the home, but their own home is in it."""
        users = str(self.home / "users")
        own_home = environment.get("HOME", "").startswith(users)
        return environment.get("TILTYARD_HOME") == str(self.home) or own_home

    def _up_ended(self) -> bool:
        return self._up is not None and self._up.poll() is not None

    def _clear(self) -> None:
        """Make sure that nothing of this home lives, whatever a test did."""
        end = time.monotonic() + 10
        while (left := self.processes()) and time.monotonic() < end:
            for process in left:
                process.kill()
            time.sleep(0.05)
        if self._up is not None:
            self._up.wait(5)
        self._up = None


def docker_settings(images_lock: Path) -> dict[str, str]:
    """Return the environment of a yard on the machine's engine, with a network of its own."""
    return {
        "TILTYARD_RUNTIME": "docker",
        "TILTYARD_IMAGES__LOCK": str(images_lock),
        "TILTYARD_DOCKER__SUBNET": own_subnet(),
    }


class Load:
    """The application, as a process of its own; see ``load.py``."""

    def __init__(
        self, yard: Yard, model: str, token: str, folder: Path, *options: str | float
    ) -> None:
        self.folder = folder
        script = str(HERE / "load.py")
        self._process = subprocess.Popen(
            [*DIES_WITH_US, script, yard.gateway_url, model, str(folder), *map(str, options)],
            env={**os.environ, "APPLICATION_TOKEN": token},
        )

    def end(self) -> None:
        """Let calls under way end, then the process."""
        self._process.terminate()
        assert self._process.wait(60) == 0

    def acknowledged(self) -> list[list[Any]]:
        """Return ``[id, version, value, row, begun, ended]`` of each answered row."""
        return self._lines("acknowledged")

    def answers(self) -> int:
        """Return how many rows were answered so far."""
        path = self.folder / "acknowledged.jsonl"
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def actuals(self) -> list[list[Any]]:
        """Return ``[id, value]`` of each accepted actual."""
        return self._lines("actuals")

    def failures(self) -> list[list[Any]]:
        """Return ``[what, begun, ended]`` of each failed call."""
        return self._lines("failures")

    def _lines(self, name: str) -> list[list[Any]]:
        path = self.folder / f"{name}.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]


def wait_for(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait until a condition holds; say what did not come about."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"after {seconds:.0f} s still not: {what}"
        time.sleep(0.1)


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _scores(process: psutil.Process) -> bool:
    try:
        command: Sequence[str] = process.cmdline()
    except psutil.Error:
        return False
    return "tiltyard.scoring" in command
