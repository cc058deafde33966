"""What all connections of one gateway share."""

import time
from typing import Protocol

from tiltyard.gateway.core import Core
from tiltyard.gateway.http import Renderer, error_lines, json_body
from tiltyard.gateway.paths import Paths
from tiltyard.gateway.recall import Heads


class Watched(Protocol):
    """A connection whose client may be slow."""

    def check_time(self, now: float) -> None:
        """End it if the client is too slow, or silent for too long."""


class Shared:
    """Holds it.

    Attributes:
        core: answers the calls.
        connections: that are open.
        busy: what a call is told that is one too many, and the whole answer: under overload
            turning away must cost next to nothing.
    """

    def __init__(self, core: Core) -> None:
        self.core = core
        self.paths = Paths()
        self.heads = Heads()
        self.renderer = Renderer()
        self.connections: set[Watched] = set()
        self.busy = core.too_busy()
        self.busy_answer = self.renderer.response(
            [], self.busy.status, json_body(self.busy.body()), error_lines(self.busy)
        )

    def sweep(self) -> None:
        """End connections that are idle or slow for too long."""
        now = time.monotonic()
        for connection in list(self.connections):
            connection.check_time(now)
