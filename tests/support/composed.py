"""The platform in containers, brought up by hub/compose.yml on a home of a test's own."""

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import docker

from support.gateway import free_port
from support.subnets import own_subnet
from tiltyard.containers.images import read_lock
from tiltyard.containers.labels import HOME, mark
from tiltyard.settings import Settings

ROOT = Path(__file__).parents[2]
USER = 10001
SOCKET = Path("/var/run/docker.sock")
PORTS = ("control.port", "gateway.port", "hub.port", "hub.api_port", "hub.proxy_api_port")


@dataclass(frozen=True)
class Composed:
    """A platform in containers.

    Attributes:
        settings: with its addresses.
    """

    settings: Settings
    project: str
    environment: dict[str, str]

    def compose(self, *words: str) -> str:
        """Run the compose command; return what it prints."""
        done = subprocess.run(
            [*compose_command(), "-p", self.project, "-f", ROOT / "hub/compose.yml", *words],
            env=os.environ | self.environment,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def tiltyard(self, service: str, *words: str) -> str:
        """Run a command of Tiltyard's in a service."""
        return self.compose("exec", "-T", service, "tiltyard", *words)


def compose_command() -> list[str]:
    """Return the compose command of this machine."""
    plugin = subprocess.run(["docker", "compose", "version"], check=False, capture_output=True)
    if plugin.returncode == 0:
        return ["docker", "compose"]
    assert shutil.which("docker-compose"), "on Debian: apt-get install docker-compose"
    return ["docker-compose"]


def platform_image(lock: Path) -> str:
    """Return the id of the recorded image of the platform, built when there is none."""
    if not any("platform" in one.images for one in read_lock(lock).sets):
        command = [str(ROOT / ".venv/bin/tiltyard"), "images", "build", "platform"]
        environment = os.environ | {"TILTYARD_IMAGES__LOCK": str(lock)}
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
    return read_lock(lock).current("platform").id


@contextmanager
def composed(lock: Path) -> Iterator[Composed]:
    """Bring a platform up with these images; take it down with all it has started."""
    with TemporaryDirectory(prefix="ty-", dir="/tmp") as folder, ExitStack() as stack:
        home = Path(folder)
        settings = _settings(home)
        _prepare(home, settings, lock)
        environment = {
            "TILTYARD_HOME": folder,
            "TILTYARD_IMAGE": platform_image(lock),
            "TILTYARD_DOCKER_GID": str(SOCKET.stat().st_gid),
        }
        made = Composed(settings, f"tiltyard-test-{secrets.token_hex(4)}", environment)
        stack.callback(_remove, made)
        made.compose("up", "--detach")
        yield made


def _settings(home: Path) -> Settings:
    sections: dict[str, dict[str, object]] = {"monitor": {"port": free_port()}}
    for name in PORTS:
        section, key = name.split(".")
        sections.setdefault(section, {})[key] = free_port()
    subnet = own_subnet()
    return Settings(home=home, runtime="docker", docker={"subnet": subnet}, **sections)  # type: ignore[arg-type]


def _prepare(home: Path, settings: Settings, lock: Path) -> None:
    lines = [
        f'[docker]\nsubnet = "{settings.docker.subnet}"',
        f"[monitor]\nport = {settings.monitor.port}",
    ]
    for section in ("control", "gateway", "hub"):
        given = getattr(settings, section).model_dump(include={k.split(".")[1] for k in PORTS})
        lines += [f"[{section}]", *(f"{k} = {v}" for k, v in given.items())]
    (home / "tiltyard.toml").write_text("\n".join(lines) + "\n")
    shutil.copy(lock, home / "images.lock")
    shutil.copytree(ROOT / "pipelines", home / "pipelines")
    for path in (home, *home.rglob("*")):
        os.chown(path, USER, USER)


def _remove(made: Composed) -> None:
    made.compose("down", "--timeout", "10")
    client = docker.from_env()
    label = f"{HOME}={mark(made.settings)}"
    for container in client.containers.list(all=True, filters={"label": label}):
        container.remove(force=True, v=True)
    for volume in client.volumes.list(filters={"label": label}):
        volume.remove()
    client.close()
    made.compose("run", "--rm", "network", "tiltyard", "network", "down")
    made.compose("down")
