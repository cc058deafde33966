"""Wakes those who wait for the registry to change, without a thread for each.

One task looks at the registry while somebody waits: every ``poll_s``, because another process
may have written, and at once when this process did (``poke``).
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

logger = logging.getLogger(__name__)


class Snapshot(NamedTuple):
    """What can be waited for.

    Attributes:
        route_number: of the newest routes.
        confirmed: gateway → the route number it has confirmed.
        event: id of the newest event.
    """

    route_number: int
    confirmed: dict[str, int]
    event: int


Condition = Callable[[Snapshot], bool]


class Changes:
    """Lets coroutines wait until a snapshot of the registry fulfils a condition.

    Args:
        look: reads a snapshot; blocks.
        poll_s: seconds between two looks.
    """

    def __init__(self, look: Callable[[], Snapshot], poll_s: float = 0.05) -> None:
        self._look = look
        self._poll_s = poll_s
        self._waiting: dict[asyncio.Future[bool], Condition] = {}
        self._wake = asyncio.Event()
        self._blind = False
        self.closing = False

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look at the registry as long as the context lasts."""
        task = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            self.close()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def until(self, condition: Condition, timeout_s: float) -> bool:
        """Wait until the condition holds; False when it did not in time or control ends."""
        if condition(await self.now()):
            return True
        if self.closing:
            return False
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[waiter] = condition
        self.poke()
        try:
            async with asyncio.timeout(timeout_s):
                return await waiter
        except TimeoutError:
            return False
        finally:
            self._waiting.pop(waiter, None)

    def poke(self) -> None:
        """Look at once; call it on the event loop."""
        self._wake.set()

    def close(self) -> None:
        """Let everybody who waits go, for control ends; call it on the event loop."""
        self.closing = True
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(False)

    async def now(self) -> Snapshot:
        """Return what is there at this moment."""
        return await run_in_threadpool(self._look)

    async def _follow(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._tell()
                await self._pause()

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._poll_s):
                await self._wake.wait()
        self._wake.clear()

    async def _tell(self) -> None:
        try:
            now = await self.now()
        except Exception as error:  # whatever it is, who waits must be woken later
            if not self._blind:
                logger.warning("cannot look at the registry, waiting on: %s", error)
            self._blind = True
            return
        self._blind = False
        for waiter, condition in self._waiting.items():
            if not waiter.done() and condition(now):
                waiter.set_result(True)


class Poke:
    """ASGI middleware: whatever is no reading may have changed something others wait for."""

    def __init__(self, app: ASGIApp, changes: Changes) -> None:
        self._app = app
        self._changes = changes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._app(scope, receive, send)
        if scope["type"] == "http" and scope["method"] not in {"GET", "HEAD"}:
            self._changes.poke()
