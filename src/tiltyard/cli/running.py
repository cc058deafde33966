"""What `tiltyard up` does between its first and its last moment."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

from tiltyard.cli.output import complain, done, say
from tiltyard.cli.passwords import make_first_user
from tiltyard.cli.ready import answers, check_ports, listens, reachable, wait_until
from tiltyard.cli.runtimes import runtime_of
from tiltyard.client.connect import connect
from tiltyard.deployers.child import Program
from tiltyard.deployers.supervisor import Supervisor
from tiltyard.errors import MissingExtraError
from tiltyard.settings import LOOPBACK, Settings, config_file

logger = logging.getLogger(__name__)

MODULES = {
    "control": "tiltyard.control",
    "gateway": "tiltyard.gateway",
    "worker": "tiltyard.worker",
    "runner": "tiltyard.training.runner",
    "proxy": "tiltyard.hub.proxy",
    "hub": "tiltyard.hub",
    "monitor": "tiltyard.monitor",
}
PEOPLE = ("proxy", "hub", "monitor")
STOPPING = (("runner", "gateway"), ("worker",))
"""Children in the order of their end: runs and calls, then the relay, then all others."""

GRACE_S = {"runner": 4.0, "gateway": 4.0, "worker": 2.5}
LAST_GRACE_S = 3.0
"""With this, which control, hub and scorers have together, all has ended within 10 s."""
START_TIMEOUT_S = 60.0
SCORERS_TIMEOUT_S = 6.0


class Running:
    """All processes of one home folder."""

    def __init__(self, settings: Settings, supervisor: Supervisor) -> None:
        self._settings = settings
        self._supervisor = supervisor
        self._stop = threading.Event()
        self._first_user: tuple[str, str] | None = None
        self._client = connect(settings)
        self._runtime = runtime_of(settings, self._client, supervisor)

    def run(self, ready_file: Path | None) -> None:
        """Start everything, write the ready file, and stop everything at a signal."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        started = time.monotonic()
        try:
            self._start()
            if not self._stop.is_set():
                self._tell(time.monotonic() - started)
                if ready_file is not None:
                    write_ready_file(ready_file, self._settings)
            self._stop.wait()
        finally:
            self._end()

    def _start(self) -> None:
        if self._settings.hub.enabled:
            check_people_extras()
        self._runtime.prepare()
        check_ports(self._settings)
        self._launch("control", "gateway", "proxy", "hub")
        health = f"{self._settings.control_url}/api/v1/health"
        self._wait("control", lambda: answers(health))
        self._runtime.start(self._stop)
        self._wait("gateway", lambda: answers(f"{self._settings.gateway_url}/healthz"))
        if self._has("hub"):
            self._wait_for_hub()
        # Not before: nobody waits for these, and they would take the processor from others.
        self._launch("worker", "runner", "monitor")
        if self._has("monitor"):
            self._wait("monitor", lambda: listens(LOOPBACK, self._settings.monitor.port))
        self._runtime.settle(SCORERS_TIMEOUT_S)

    def _has(self, name: str) -> bool:
        return name not in PEOPLE or self._settings.hub.enabled

    def _wait_for_hub(self) -> None:
        self._wait("hub", lambda: answers(f"{self._settings.hub_api_url}/"))
        # Through the proxy, which leads to the hub before it has any route.
        hub = self._settings.hub
        proxy = f"http://{reachable(hub.host)}:{hub.port}"
        self._wait("proxy", lambda: answers(f"{proxy}/hub/health"))
        if not self._stop.is_set():
            self._first_user = make_first_user(self._settings)

    def _launch(self, *names: str) -> None:
        for name in filter(self._has, names):
            if not self._stop.is_set():
                command = (sys.executable, "-m", MODULES[name])
                grace_s = GRACE_S.get(name, LAST_GRACE_S)
                program = Program(name, command, self._environment(), grace_s=grace_s)
                self._supervisor.start(program)

    def _wait(self, name: str, condition: Callable[[], bool]) -> None:
        wait_until(condition, self._supervisor, name, self._stop, START_TIMEOUT_S)

    def _tell(self, seconds: float) -> None:
        done(f"Tiltyard is ready after {seconds:.1f} s.")
        say(f"  home     {self._settings.path()}")
        say(f"  control  {self._settings.control_url}/api/v1")
        say(f"  gateway  {self._settings.gateway_url}")
        if self._settings.hub.enabled:
            say(f"  people   {self._settings.hub_url}")
        if self._first_user is not None:
            name, password = self._first_user
            say(f"  login    {name}, password {password} (shown this once)")
        say("Ctrl-C stops it.")

    def _end(self) -> None:
        say("Stopping …")
        self._stop.set()
        self._runtime.end_servers()
        for names in STOPPING:
            self._supervisor.stop(*names)
        self._runtime.end()
        self._supervisor.stop(*self._supervisor.names())
        self._client.close()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._stop.is_set():
            complain("Killing what is left.")
            self._supervisor.kill()
        self._stop.set()

    def _environment(self) -> dict[str, str]:
        return {
            "TILTYARD_HOME": str(self._settings.path()),
            "TILTYARD_CONFIG": str(config_file().absolute()),
            "PYTHONUNBUFFERED": "1",
        }


def check_people_extras() -> None:
    """See that what people need is installed.

    Raises:
        MissingExtraError: naming library and extra.
    """
    for library, extra in (("jupyterhub", "hub"), ("voila", "monitor")):
        if find_spec(library) is None:
            raise MissingExtraError(library, extra)


def write_ready_file(path: Path, settings: Settings) -> None:
    """Tell a program that waits for it that all is ready: pid and URLs, a line each."""
    temporary = path.with_name(f".{path.name}.new")
    lines = (str(os.getpid()), settings.control_url, settings.gateway_url)
    temporary.write_text("".join(f"{line}\n" for line in lines))
    temporary.replace(path)
