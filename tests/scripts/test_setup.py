"""The scripts on machines where something is missing."""

from pathlib import Path

import pytest

from support.machine import ROOT, Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return a machine whose Python is too old."""
    machine = Machine(tmp_path)
    machine.add("python3", "exit 1")
    return machine


def test_without_root_it_says_what_to_install(machine: Machine) -> None:
    """And changes nothing."""
    machine.add("id", "echo 1000")
    machine.add("apt-get", "exit 0")
    result = machine.run("scripts/test")
    assert result.returncode == 3
    assert "Please install python3 python3-venv" in result.stderr
    assert "apt-get install" not in machine.asked.read_text()


def test_root_installs_by_apt(machine: Machine) -> None:
    """If that brings no Python that will do, it says so."""
    machine.add("id", "echo 0")
    machine.add("apt-get", "exit 0")
    result = machine.run("scripts/demo")
    assert result.returncode == 3
    assert "Python 3.11 or newer" in result.stderr
    asked = machine.asked.read_text()
    assert asked.index("apt-get update") < asked.index("python3 python3-venv")


@pytest.mark.parametrize("script", ["scripts/test", "scripts/demo"])
def test_help_needs_no_setup(machine: Machine, script: str) -> None:
    """It is printed before anything is looked for."""
    result = machine.run(script, "--help")
    assert result.returncode == 0
    assert script in result.stdout
    assert not machine.asked.exists()


def test_no_file_of_the_project_names_an_index() -> None:
    """The locks pin hashes; where packages come from is the machine's business."""
    for lock in (ROOT / "requirements").glob("*.lock"):
        text = lock.read_text()
        assert "://" not in text
        assert "--hash=sha256:" in text
