"""Ports before the start, readiness after it."""

import errno
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from tiltyard.deployers.supervisor import Supervisor
from tiltyard.errors import ConflictError, TiltyardError, TimedOutError
from tiltyard.settings import LOOPBACK, Settings

EARLY_ENDS = 2


@dataclass(frozen=True)
class Listener:
    """A server's address.

    Attributes:
        name: of the server.
        setting: of its port, such as ``hub.api_port``.
    """

    name: str
    setting: str
    host: str
    port: int

    @property
    def variable(self) -> str:
        """The environment variable of its port."""
        return f"TILTYARD_{self.setting.upper().replace('.', '__')}"


def listeners(settings: Settings) -> tuple[Listener, ...]:
    """Return the address of each server that `tiltyard up` starts."""
    control, gateway, hub = settings.control, settings.gateway, settings.hub
    always = (
        Listener("control", "control.port", control.host, control.port),
        Listener("gateway", "gateway.port", gateway.host, gateway.port),
    )
    if not hub.enabled:
        return always
    return (
        *always,
        Listener("proxy", "hub.port", hub.host, hub.port),
        Listener("hub", "hub.api_port", settings.hub_api_host, hub.api_port),
        Listener("proxy's API", "hub.proxy_api_port", LOOPBACK, hub.proxy_api_port),
        Listener("Monitor", "monitor.port", LOOPBACK, settings.monitor.port),
    )


def check_ports(settings: Settings, patience_s: float = 2.0) -> None:
    """See that the servers can listen; a port of a predecessor is free after a moment.

    Raises:
        ConflictError: naming port and setting.
    """
    for one in listeners(settings):
        end = time.monotonic() + patience_s
        while (problem := port_problem(one.host, one.port)) is not None:
            if time.monotonic() > end:
                raise ConflictError(
                    f"The {one.name} cannot listen on {one.host}:{one.port} ({problem}): stop what "
                    f"listens there, or set {one.variable} (`{one.setting}` in tiltyard.toml).",
                    port=one.port,
                    setting=one.setting,
                )
            time.sleep(0.1)


def port_problem(host: str, port: int) -> str | None:
    """Return why nothing can listen there now; None if it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return "it is occupied"
            return error.strerror or str(error)
    return None


def answers(url: str) -> bool:
    """Return whether a URL is answered with success."""
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).is_success
    except httpx.TransportError:
        return False


def listens(host: str, port: int) -> bool:
    """Return whether something accepts connections there."""
    try:
        with socket.create_connection((reachable(host), port), timeout=2.0):
            return True
    except OSError:
        return False


def reachable(host: str) -> str:
    """Return an address for one that is bound: that of every interface is none."""
    return {"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)  # noqa: S104  not bound here


def wait_until(
    condition: Callable[[], bool],
    supervisor: Supervisor,
    name: str,
    stop: threading.Event,
    timeout_s: float,
) -> None:
    """Wait until a child is ready, or until ``stop`` is set.

    Raises:
        TiltyardError: the child ends again and again; with what it wrote.
        TimedOutError: it lives and does not become ready.
    """
    end = time.monotonic() + timeout_s
    while not stop.is_set() and not condition():
        status = supervisor.status(name)
        if status is not None and status.early_ends >= EARLY_ENDS:
            raise TiltyardError(
                f"The {name} ends right after its start (exit code {status.exit_code}):\n"
                f"{supervisor.tail(name)}"
            )
        if time.monotonic() > end:
            raise TimedOutError(
                f"The {name} is not ready after {timeout_s:.0f} s; its log says:\n"
                f"{supervisor.tail(name)}"
            )
        stop.wait(0.05)
