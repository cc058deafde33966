"""People's servers: a JupyterLab each, as a process of this machine."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from jupyterhub.spawner import SimpleLocalProcessSpawner

from tiltyard.deployers.groups import MARK, start_time
from tiltyard.hub.folders import prepare_folder
from tiltyard.hub.tokens import follow_roles
from tiltyard.settings import Settings, load_settings

LAB = Path(__file__).with_name("lab")
"""Jupyter configuration of every user's server."""

_STOP_S = 5
_STARTED = "started"


class YardSpawner(SimpleLocalProcessSpawner):
    """Starts a user's server in the user's folder, with a log of its own.

    A server is remembered by pid and start time, so that no other process that got its pid
    meanwhile, after a restart of the machine say, is taken for it and ended.
    """

    pid: int
    started: int | None = None

    async def start(self) -> tuple[str, int]:
        """Prepare the folder, start the server, return its address."""
        settings = load_settings()
        prepare_folder(Path(self.home_dir), settings.pipelines.path.absolute())
        follow_roles(self)
        with log_file(settings, self.user.name).open("ab") as log:
            self.popen_kwargs = {
                "stdin": subprocess.DEVNULL,
                "stdout": log,
                "stderr": subprocess.STDOUT,
            }
            address: tuple[str, int] = await super().start()
        self.started = start_time(self.pid)
        return address

    def get_state(self) -> dict[str, Any]:
        """Return what the hub remembers over a restart."""
        state: dict[str, Any] = super().get_state()
        if self.pid and self.started is not None:
            state[_STARTED] = self.started
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up what the hub remembered."""
        super().load_state(state)
        self.started = state.get(_STARTED)
        if self.pid and start_time(self.pid) != self.started:
            self.pid = 0

    def clear_state(self) -> None:
        """Forget a server that has ended."""
        super().clear_state()
        self.started = None

    async def _signal(self, sig: signal.Signals) -> bool:
        if self.proc is None and start_time(self.pid) != self.started:
            return False
        alive: bool = await super()._signal(sig)
        return alive


def configure_spawner(c: Any, settings: Settings) -> None:
    """Fill the configuration of servers that are processes of this machine."""
    users = settings.path("users")
    c.JupyterHub.spawner_class = YardSpawner
    c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
    c.Spawner.args = ["--allow-root"] if os.getuid() == 0 else []
    c.Spawner.notebook_dir = str(users / "{username}")
    c.SimpleLocalProcessSpawner.home_dir_template = str(users / "{username}")
    c.LocalProcessSpawner.interrupt_timeout = _STOP_S
    c.LocalProcessSpawner.term_timeout = _STOP_S
    c.Spawner.environment = _environment(settings)


def log_file(settings: Settings, user: str) -> Path:
    """Return the log of a user's server, in a folder that is made."""
    path = settings.path("logs", "servers", f"{user}.log")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def mark_of(user: str) -> str | None:
    """Return the mark by which `tiltyard up` finds a user's server; None outside of it.

    It is not the hub's own, so that a restart of the hub leaves the servers running.
    """
    up = os.environ.get(MARK)
    return None if up is None else f"{up.partition('.')[0]}.server-{user}."


def _environment(settings: Settings) -> dict[str, Any]:
    here = str(Path(sys.executable).parent)
    return {
        "PATH": os.pathsep.join((here, os.environ.get("PATH", os.defpath))),
        "JUPYTER_CONFIG_PATH": str(LAB),
        "TILTYARD_CLIENT__URL": settings.control_url,
        "TILTYARD_CLIENT__GATEWAY_URL": settings.gateway_url,
        "TILTYARD_CLIENT__TOKEN": lambda spawner: spawner.api_token,
        "TILTYARD_LAKE__URL": settings.lake_url,
        "TILTYARD_PIPELINES__PATH": str(settings.pipelines.path.absolute()),
        MARK: lambda spawner: mark_of(spawner.user.name) or "",
    }
