"""hub/compose.yml as it stands: who holds the socket, what each service may do."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tiltyard.cli.running import MODULES
from tiltyard.settings import Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "hub/compose.yml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
SOCKET = ":/var/run/docker.sock"
ENDING = {"init", "network"}
"""Services that do one thing and end."""

each_service = pytest.mark.parametrize("service", SERVICES.values(), ids=list(SERVICES))


def holders_of(mount: str) -> set[str]:
    """Return the services with a mount that ends so."""
    return {n for n, s in SERVICES.items() if any(v.endswith(mount) for v in s["volumes"])}


def test_every_process_of_tiltyard_up_is_a_service() -> None:
    """The same programs, each in a container of its own."""
    commands = {n: s["command"] for n, s in SERVICES.items() if n not in ENDING}
    assert commands == {name: ["python", "-m", module] for name, module in MODULES.items()}


def test_who_holds_the_docker_socket() -> None:
    """Control, hub and runner; and for a moment what makes the network."""
    assert holders_of(SOCKET) == {"control", "hub", "runner", "network"}
    assert {n for n, s in SERVICES.items() if s["restart"] == "no"} == ENDING


def test_only_the_network_is_made_by_root() -> None:
    """And with no more capabilities than a firewall's rules take."""
    assert {n for n, s in SERVICES.items() if s["user"] == "0:0"} == {"network"}
    assert {n for n, s in SERVICES.items() if "cap_add" in s} == {"network"}
    assert set(SERVICES["network"]["cap_add"]) == {"NET_ADMIN", "NET_RAW", "DAC_READ_SEARCH"}


@each_service
def test_a_service_may_do_little(service: dict[str, Any]) -> None:
    """No capability, no way to gain one, a root file system that cannot be written."""
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert service["pids_limit"]
    assert "privileged" not in service


@each_service
def test_a_service_is_on_the_hosts_network(service: dict[str, Any]) -> None:
    """A published port would be forwarded past the rules that hold users' containers."""
    assert service["network_mode"] == "host"
    assert "ports" not in service


@each_service
def test_a_path_is_the_same_inside_and_outside(service: dict[str, Any]) -> None:
    """The engine mounts by the host's paths what these services name by theirs."""
    for volume in service["volumes"]:
        source, target = re.findall(r"(\$\{[^}]+\}|[^:]+):?", volume)[:2]
        assert source == target or volume.endswith(SOCKET)


def test_what_only_reads_the_home_cannot_write_it() -> None:
    """Proxy and Monitor face browsers."""
    assert holders_of(":${TILTYARD_HOME}:ro") == {"proxy", "monitor", "network"}


@each_service
def test_the_image_is_a_variable(service: dict[str, Any]) -> None:
    """A site names its own."""
    assert service["image"].startswith("${TILTYARD_IMAGE:-")


def test_settings_that_it_gives_exist() -> None:
    """A setting that is misspelt would be passed over in silence."""
    fields = Settings.model_fields
    for name in SERVICES["control"]["environment"]:
        section, _, key = name.removeprefix("TILTYARD_").lower().partition("__")
        if name.startswith("TILTYARD_") and name != "TILTYARD_CONFIG":
            assert section in fields, name
            assert not key or key in type(fields[section].default).model_fields, name


def test_its_variables_are_documented() -> None:
    """docs/operations.md names each."""
    page = (ROOT / "docs/operations.md").read_text()
    named = set(re.findall(r"\$\{(\w+)", TEXT))
    assert {name for name in named if f"`{name}`" not in page} == set()
