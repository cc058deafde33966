"""What answers HTTP, whatever is behind it: the core, its connections and their clocks."""

import asyncio
from abc import ABC, abstractmethod
from typing import Any

from tiltyard.gateway.core import Core
from tiltyard.gateway.openapi import openapi_document
from tiltyard.gateway.shared import Shared
from tiltyard.settings import Settings

SWEEP_S = 0.5


class Front(ABC):
    """A core that connections call.

    Attributes:
        core: answers the calls.
        shared: what all connections share.

    Args:
        settings: of the process.
    """

    core: Core
    shared: Shared

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._sweeps: list[asyncio.Task[None]] = []

    @abstractmethod
    async def start(self) -> None:
        """Begin to answer calls; ``core`` and ``shared`` are there from now on."""

    @abstractmethod
    async def stop(self) -> None:
        """End what was started; no call is under way any more."""

    @property
    def ready(self) -> bool:
        """Whether calls can be answered."""
        return not self.obstacle

    @property
    @abstractmethod
    def obstacle(self) -> str:
        """Why no call can be answered now; nothing if they can."""

    def document(self, model: str, server: str) -> dict[str, Any]:
        """Return the OpenAPI document of a model's calls.

        Args:
            model: its name.
            server: URL under which this process was asked.
        """
        route = self.core.current().model(model).route
        return openapi_document(route, self.settings.gateway, server)

    def begin(self, core: Core) -> None:
        """Take calls for this core."""
        self.core = core
        self.shared = Shared(core)

    def begin_sweeps(self) -> None:
        """End calls and connections whose time is over, from now on."""
        loop = asyncio.get_running_loop()
        self._sweeps = [loop.create_task(self.core.sweep()), loop.create_task(_often(self.shared))]

    def end_sweeps(self) -> None:
        """End no more of them."""
        for sweep in self._sweeps:
            sweep.cancel()


async def _often(shared: Shared) -> None:
    while True:
        await asyncio.sleep(SWEEP_S)
        shared.sweep()
