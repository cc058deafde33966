"""How scripts get a Docker Engine, on machines that have none."""

import subprocess
from pathlib import Path

import pytest

from support.machine import ROOT, Machine

ANSWERS = 'test -e "$ENGINE"'
ENGINE = """
trap 'rm -f "$ENGINE"; echo stopped >>"$ASKED"; exit 0' TERM
touch "$ENGINE"
while :; do sleep 0.1; done
"""


class DockerMachine:
    """A machine with Docker's client; a file stands for an engine that answers."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self.machine = machine
        self.engine = folder / "engine"
        self.pid_file = folder / "docker.pid"
        machine.add("docker", ANSWERS.replace("$ENGINE", str(self.engine)))
        machine.add("id", "echo 0")
        machine.add("apt-get", "exit 0")
        for program in ("iptables", "ip", "debootstrap"):
            machine.add(program, "exit 0")

    def add_dockerd(self, script: str) -> None:
        """Put an engine there."""
        script = script.replace("$ENGINE", str(self.engine))
        self.machine.add("dockerd", script.replace("$ASKED", str(self.machine.asked)))

    def setup(
        self, then: str = "echo work is done", **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        """Set Docker up in a script that then does something."""
        settings = "".join(f"export {name}={value}\n" for name, value in variables.items())
        script = (
            f"set -euo pipefail\ncd {ROOT}\nsource scripts/setup.sh\nsource scripts/docker.sh\n"
            f"docker_pid_file={self.pid_file} docker_log={self.pid_file}.log docker_wait_s=2\n"
            f"systemd_folder=/absent\n{settings}setup_docker\n{then}\n"
        )
        return self.machine.run("-c", script)

    def asked(self, program: str) -> list[str]:
        """Return the calls of a program."""
        return [
            line
            for line in self.machine.asked.read_text().splitlines()
            if line.split(maxsplit=1)[0] == program
        ]


@pytest.fixture
def machine(tmp_path: Path) -> DockerMachine:
    """Return a machine of root, without an engine."""
    return DockerMachine(Machine(tmp_path), tmp_path)


def test_an_engine_that_answers_is_left_alone(machine: DockerMachine) -> None:
    """Nothing is installed, started or stopped."""
    machine.add_dockerd(ENGINE)
    machine.engine.touch()
    result = machine.setup()
    assert result.stdout == "work is done\n"
    assert result.stderr == ""
    assert machine.engine.exists()
    assert machine.asked("dockerd") == machine.asked("apt-get") == []


def test_what_was_started_is_stopped_at_the_end(machine: DockerMachine) -> None:
    """Also when the script fails; the engine answers meanwhile."""
    machine.add_dockerd(ENGINE)
    result = machine.setup("docker version && echo work is done; exit 7")
    assert result.returncode == 7
    assert "work is done" in result.stdout
    assert "Starting a Docker Engine" in result.stderr
    assert machine.asked("dockerd") == ["dockerd "]
    assert machine.asked("apt-get") == []
    assert machine.machine.asked.read_text().splitlines()[-1] == "stopped"
    assert not machine.engine.exists()


def test_root_installs_what_is_missing(machine: DockerMachine) -> None:
    """By apt; when that brings no engine, the end says so."""
    result = machine.setup()
    assert result.returncode == 3
    assert any("docker.io" in line for line in machine.asked("apt-get"))
    assert "The Docker Engine did not start" in result.stderr


def test_without_root_it_says_what_to_install(machine: DockerMachine) -> None:
    """And changes nothing."""
    machine.machine.add("id", "echo 1000")
    result = machine.setup()
    assert result.returncode == 3
    assert "apt-get install docker.io iptables iproute2 debootstrap" in result.stderr
    assert machine.asked("apt-get") == []
    assert result.stdout == ""


def test_an_engine_elsewhere_is_not_replaced_by_one_here(machine: DockerMachine) -> None:
    """Who names one means it."""
    machine.add_dockerd(ENGINE)
    result = machine.setup(DOCKER_HOST="tcp://127.0.0.1:9")
    assert result.returncode == 3
    assert "DOCKER_HOST (tcp://127.0.0.1:9)" in result.stderr
    assert machine.asked("dockerd") == []


def test_no_second_engine_is_started(machine: DockerMachine) -> None:
    """One that runs and does not answer is waited for, then named."""
    machine.add_dockerd(ENGINE)
    with subprocess.Popen(["sleep", "60"]) as running:
        machine.pid_file.write_text(str(running.pid))
        result = machine.setup()
        running.kill()
    assert result.returncode == 3
    assert "dockerd is there, but does not answer" in result.stderr
    assert machine.asked("dockerd") == []


def test_an_engine_that_dies_tells_why(machine: DockerMachine) -> None:
    """By the last line of its log."""
    machine.add_dockerd("echo cannot open a socket >&2; exit 1")
    result = machine.setup()
    assert result.returncode == 3
    assert "did not start: cannot open a socket" in result.stderr
