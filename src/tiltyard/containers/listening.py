"""Listening where this machine and its containers call."""

import errno
import socket

from tiltyard.errors import ConflictError, UnavailableError

_IP_FREEBIND = 15
"""Linux's option; Python has no name for it."""


def listen(hosts: tuple[str, ...], port: int, *, name: str, backlog: int) -> list[socket.socket]:
    """Bind before anything else starts, so that an occupied port is told in a sentence.

    Args:
        hosts: an address of this machine; a further one is on the containers' network, which may
            not be there yet, or not any more while the Docker Engine restarts: it is bound all
            the same.
        port: of all of them.
        name: of the server; its port is the setting ``<name>.port``.
        backlog: connections that may wait to be accepted.

    Raises:
        ConflictError: the port is in use.
        UnavailableError: an address cannot be bound.
    """
    found: list[socket.socket] = []
    try:
        for host in hosts:
            found.append(_bound(host, port, early=bool(found)))
            found[-1].listen(backlog)
    except OSError as error:
        for listener in found:
            listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ConflictError(
                f"Port {port} of {host} is in use: end what listens there, or set {name}.port."
            ) from None
        raise UnavailableError(
            f"The {name} cannot listen on {host}:{port}: {error.strerror}."
        ) from None
    return found


def _bound(host: str, port: int, *, early: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if early:
            listener.setsockopt(socket.SOL_IP, _IP_FREEBIND, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener
