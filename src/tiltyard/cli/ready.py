"""Ports before the start, readiness after it."""

import errno
import socket
import threading
import time
from collections.abc import Callable

import httpx

from tiltyard.deployers.supervisor import Supervisor
from tiltyard.errors import ConflictError, TiltyardError, TimedOutError
from tiltyard.settings import Settings

EARLY_ENDS = 2


def listeners(settings: Settings) -> tuple[tuple[str, str, int], ...]:
    """Return section, host and port of each server."""
    return (
        ("control", settings.control.host, settings.control.port),
        ("gateway", settings.gateway.host, settings.gateway.port),
    )


def check_ports(settings: Settings, patience_s: float = 2.0) -> None:
    """See that the servers can listen; a port of a predecessor is free after a moment.

    Raises:
        ConflictError: naming port and setting.
    """
    for section, host, port in listeners(settings):
        end = time.monotonic() + patience_s
        while (problem := port_problem(host, port)) is not None:
            if time.monotonic() > end:
                raise ConflictError(
                    f"The {section} cannot listen on {host}:{port} ({problem}): stop what listens "
                    f"there, or set TILTYARD_{section.upper()}__PORT (`{section}.port` in "
                    "tiltyard.toml).",
                    port=port,
                    setting=f"{section}.port",
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
