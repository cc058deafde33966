"""What can be reached from inside a container: a program that tries, run by its Python."""

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

TRY_S = 3


def attempt(targets: Iterable[tuple[str, int]]) -> str:
    """Return Python that prints JSON: each target's ``host:port`` → whether it was connected."""
    return f"""
import json, socket
reached = {{}}
for host, port in {list(targets)!r}:
    try:
        socket.create_connection((host, port), timeout={TRY_S}).close()
        reached[f"{{host}}:{{port}}"] = True
    except OSError:
        reached[f"{{host}}:{{port}}"] = False
print(json.dumps(reached))
"""


@contextmanager
def listening(host: str, port: int = 0) -> Iterator[int]:
    """Accept connections at an address of this machine; give the port."""
    with socket.create_server((host, port), backlog=50) as listener:
        yield int(listener.getsockname()[1])


def reachable(host: str, port: int) -> bool:
    """Return whether this machine itself connects."""
    try:
        socket.create_connection((host, port), timeout=TRY_S).close()
    except OSError:
        return False
    return True
