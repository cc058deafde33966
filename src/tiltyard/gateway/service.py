"""The gateway as a whole: spool, core, routes, connections; started and stopped in one place."""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

from tiltyard.client.control import ControlClient
from tiltyard.errors import ConflictError
from tiltyard.gateway.core import Core
from tiltyard.gateway.follower import Follower
from tiltyard.gateway.front import Front
from tiltyard.gateway.saved import SavedRoutes, load_routes, longest, save_routes
from tiltyard.gateway.table import Routes, compile_routes
from tiltyard.settings import Settings
from tiltyard.spool import SpoolInfo, SpoolWriter, open_spool
from tiltyard.types.registry import LedgerHead
from tiltyard.types.routes import GatewayInfo, RouteTable

logger = logging.getLogger(__name__)

CONNECT_FIRST_S = 1.0
"""How long a new table waits for its champions' scorers before it is in force."""


class Service(Front):
    """One gateway process.

    Args:
        settings: of the process.
        url: under which applications reach it.
    """

    def __init__(self, settings: Settings, url: str) -> None:
        super().__init__(settings)
        self._url = url
        self._saved_path = settings.path("routes.json")
        self._folder = settings.path("spool", settings.gateway.name)
        self._draining: list[Routes] = []
        self._saved: SavedRoutes | None = None

    async def start(self) -> None:
        """Serve from the disk if this gateway is registered; follow control in any case."""
        self._loop = asyncio.get_running_loop()
        self.begin(Core(self.settings.gateway, self._drained, self.settings.scorer_uid))
        info = open_spool(self._folder)
        self._saved = _of_spool(load_routes(self._saved_path), info)
        self._follower = Follower(
            self._connect, self.settings.gateway.name, self._url, info.spool, self
        )
        if self._saved is not None and self._saved.registered:
            self._start_spool(self._saved.gateway)
            await self._put_in_force(self._saved.table)
        self.begin_sweeps()
        self._follower.start()

    async def stop(self) -> None:
        """Unregister, and end the spool when what is queued is on disk."""
        self.end_sweeps()
        if await asyncio.to_thread(self._follower.stop) and self._saved is not None:
            self._save(self._saved.model_copy(update={"registered": False}))
        self.core.pools.keep_only([])
        if self.core.spool is not None:
            await asyncio.to_thread(self.core.spool.close)

    @property
    def obstacle(self) -> str:
        """Why no call can be answered now; nothing if they can."""
        if self.core.routes is None or self.core.spool is None:
            return "no routes yet"
        return "the disk is full" if self.core.spool.disk_full else ""

    # what the follower tells, from its threads

    def registered(self, info: GatewayInfo) -> None:
        """Take the number that control gave; the first time the spool begins with it."""
        asyncio.run_coroutine_threadsafe(self._take_number(info.number), self._loop).result()

    def routed(self, table: RouteTable) -> None:
        """Save a table, then put it into force."""
        if self._number is None:
            raise ConflictError("routes came before a number")
        kept = self._saved.ledgers if self._saved else {}
        self._save(
            SavedRoutes(
                spool=open_spool(self._folder).spool,
                gateway=self._number,
                registered=True,
                table=table,
                ledgers=longest(kept, table),
            )
        )
        asyncio.run_coroutine_threadsafe(self._put_in_force(table), self._loop).result()

    def ledgers(self) -> Mapping[str, LedgerHead]:
        """Return the ledger heads that are kept."""
        return self._saved.ledgers if self._saved else {}

    # on the loop

    async def _take_number(self, number: int) -> None:
        if self.core.spool is None:
            self._start_spool(number)
        elif self.core.spool.gateway != number:
            raise ConflictError(
                f"Control calls this spool gateway {number}, but its records say "
                f"{self.core.spool.gateway}: control was replaced. Stop the gateway and move "
                f"{self._folder} away once its records are in the store."
            )

    def _start_spool(self, number: int) -> None:
        settings = self.settings.gateway
        spool = SpoolWriter(
            self._folder,
            number,
            segment_bytes=settings.segment_bytes,
            keep_confirmed_s=settings.keep_confirmed_s,
            call_soon=self._loop.call_soon_threadsafe,
        )
        spool.start()
        self.core.spool = spool

    @property
    def _number(self) -> int | None:
        return self.core.spool.gateway if self.core.spool else None

    def _save(self, saved: SavedRoutes) -> None:
        save_routes(self._saved_path, saved)
        self._saved = saved

    async def _put_in_force(self, table: RouteTable) -> None:
        """From now on calls begin under this table; those begun before keep theirs."""
        core, old = self.core, self.core.routes
        routes = compile_routes(table, old, core.pools, self.settings.gateway.max_rows)
        await _connected(routes)
        core.routes = routes
        if old is not None:
            self._draining.append(old)
        self._drained()

    def _drained(self) -> None:
        """Confirm the routes once no call under older ones is open."""
        self._draining = [routes for routes in self._draining if routes.open_calls]
        current = self.core.routes
        if current is None or self._draining:
            return
        self.core.pools.keep_only([current.table])
        self._follower.confirm(current.number)

    def _connect(self, timeout: float) -> ControlClient:
        path = self.settings.path("tokens", "gateway")
        return ControlClient(self.settings.control_url, _token(path), timeout=timeout)


async def _connected(routes: Routes) -> None:
    """Wait a moment for the champions' scorers, so that no call meets a closed door."""
    pools = [m.pool for m in routes.models.values() if m.pool is not None and not m.pool.ready]
    if pools:
        waits = [asyncio.create_task(pool.wait_ready()) for pool in pools]
        _, late = await asyncio.wait(waits, timeout=CONNECT_FIRST_S)
        for wait in late:
            wait.cancel()


def _of_spool(saved: SavedRoutes | None, info: SpoolInfo) -> SavedRoutes | None:
    """Forget the registration of another spool; its ledger heads stay."""
    if saved is None or saved.spool == info.spool:
        return saved
    return saved.model_copy(update={"spool": info.spool, "registered": False})


def _token(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return None
