"""`tiltyard up` with all its processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tiltyard.deployers.groups import Groups, members, read_groups

pytestmark = pytest.mark.slow

READY_S = 90.0


def free_port() -> int:
    """Return a port that nothing listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Up:
    """A home, and `tiltyard` commands on it."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.ready = folder / "ready"
        self.folder = folder
        self.environment = {
            **os.environ,
            "TILTYARD_HOME": str(self.home),
            "TILTYARD_CONFIG": str(folder / "tiltyard.toml"),
            "TILTYARD_HUB__ENABLED": "false",
            "TILTYARD_CONTROL__PORT": str(free_port()),
            "TILTYARD_GATEWAY__PORT": str(free_port()),
        }
        self.started: list[subprocess.Popen[str]] = []

    def start(self) -> "subprocess.Popen[str]":
        """Start `tiltyard up` and wait until it is ready."""
        command = [sys.executable, "-m", "tiltyard.cli", "up", "--ready-file", str(self.ready)]
        self.ready.unlink(missing_ok=True)
        with (self.folder / "out").open("a") as out:
            up = subprocess.Popen(
                command, env=self.environment, stdout=out, stderr=out, text=True, process_group=0
            )
        self.started.append(up)
        end = time.monotonic() + READY_S
        while not self.ready.exists():
            assert up.poll() is None, (self.folder / "out").read_text()
            assert time.monotonic() < end
            time.sleep(0.05)
        return up

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "tiltyard.cli", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    def groups(self) -> Groups:
        """Return what the home has recorded of its processes."""
        groups = read_groups(self.home / "up.groups")
        assert groups is not None
        return groups


def free_hub_ports() -> dict[str, str]:
    """Return free ports for all that belongs to the hub."""
    names = ("HUB__PORT", "HUB__API_PORT", "HUB__PROXY_API_PORT", "MONITOR__PORT")
    return {f"TILTYARD_{name}": str(free_port()) for name in names}


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """Return a home; nothing of it lives on after the test."""
    site = Up(tmp_path)
    yield site
    for process in site.started:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_a_whole_life(up: Up) -> None:
    """Ready, a second one refused, Ctrl-C, a start that goes on, kill -9, one more start."""
    first = up.start()
    pid, control, gateway = up.ready.read_text().splitlines()
    assert int(pid) == first.pid
    assert control.endswith(up.environment["TILTYARD_CONTROL__PORT"])
    assert gateway.endswith(up.environment["TILTYARD_GATEWAY__PORT"])

    second = up.run("up")
    assert second.returncode == 3
    assert f"pid {first.pid}" in second.stderr

    findings = {f["check"]: f for f in json.loads(up.run("doctor", "--json").stdout)}
    assert findings["tiltyard up"]["ok"]
    assert findings["control"]["ok"]
    assert findings["gateway"]["ok"]

    before = json.loads(up.run("gateway", "list", "--json").stdout)
    groups = up.groups()
    began = time.monotonic()
    first.send_signal(signal.SIGINT)
    assert first.wait(20) == 0
    assert time.monotonic() - began < 10
    assert not members(groups)
    assert not (up.home / "up.groups").exists()

    again = up.start()
    after = json.loads(up.run("gateway", "list", "--json").stdout)
    assert [g["number"] for g in after] == [g["number"] for g in before]
    groups = up.groups()
    again.kill()
    again.wait()
    end = time.monotonic() + 10
    while members(groups) or (up.home / "up.groups").exists():
        assert time.monotonic() < end
        time.sleep(0.05)

    third = up.start()
    third.send_signal(signal.SIGTERM)
    assert third.wait(20) == 0


def test_a_second_ctrl_c_kills(up: Up) -> None:
    """Even a child that will not end is gone at once."""
    process = up.start()
    groups = up.groups()
    for pid in groups.leaders:
        psutil.Process(pid).suspend()
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.wait(3)
    assert not members(groups)


@pytest.mark.parametrize(
    "port", ["CONTROL__PORT", "GATEWAY__PORT", "HUB__PORT", "HUB__API_PORT", "MONITOR__PORT"]
)
def test_an_occupied_port_is_named(up: Up, port: str) -> None:
    """With the setting that chooses another; nothing is left running."""
    setting = f"TILTYARD_{port}"
    up.environment |= {"TILTYARD_HUB__ENABLED": "true", **free_hub_ports()}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = str(taken.getsockname()[1])
        up.environment[setting] = number
        result = up.run("up")
    assert result.returncode == 3
    assert number in result.stderr
    assert setting in result.stderr
    assert not (up.home / "up.groups").exists()


def test_a_child_that_cannot_start_is_told(up: Up) -> None:
    """Its last words are on stderr, and the exit code is 3."""
    up.home.mkdir()
    (up.home / "store.db").write_text("this is no database, but a text that is in the way\n" * 99)
    result = up.run("up")
    assert result.returncode == 3
    assert "control" in result.stderr
