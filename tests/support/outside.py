"""A host of our own in another network namespace, which stands for the world outside."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_LISTEN = """
import socket, sys
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
while True:
    caller, _ = listener.accept()
    caller.sendall(b"outside")
    caller.close()
"""


@dataclass(frozen=True)
class Host:
    """Where it is, and where this machine stands towards it."""

    address: str
    near: str
    port: int = 8080


@contextmanager
def host_outside() -> Iterator[Host]:
    """Give a host that this machine reaches by a cable of its own, and that answers on a port."""
    number = os.getpid() % 250
    name, near, far = f"ty-out-{number}", f"tyn{number}", f"tyf{number}"
    host = Host(f"198.18.{number}.2", f"198.18.{number}.1")
    _ip("netns", "add", name)
    try:
        _ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", name)
        _ip("addr", "add", f"{host.near}/24", "dev", near)
        _ip("link", "set", near, "up")
        _ip("-n", name, "addr", "add", f"{host.address}/24", "dev", far)
        for device in (far, "lo"):
            _ip("-n", name, "link", "set", device, "up")
        _ip("-n", name, "route", "add", "default", "via", host.near)
        listener = subprocess.Popen(
            ["ip", "netns", "exec", name, "python3", "-c", _LISTEN, host.address, str(host.port)]
        )
        try:
            time.sleep(0.3)
            yield host
        finally:
            listener.kill()
            listener.wait()
    finally:
        _ip("netns", "del", name)


def _ip(*words: str) -> None:
    subprocess.run(("ip", *words), check=True)
