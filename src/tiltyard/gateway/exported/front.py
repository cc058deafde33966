"""One version behind the gateway's routes: nothing is recorded, nothing is fetched."""

import asyncio
import hashlib
import os
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from tiltyard.errors import TiltyardError
from tiltyard.gateway.core import Core
from tiltyard.gateway.errors import KeepsNothingError
from tiltyard.gateway.exported.scorer import Scorer
from tiltyard.gateway.front import Front
from tiltyard.gateway.recorder import Oblivion
from tiltyard.gateway.table import Routes, compile_routes
from tiltyard.gateway.tickets import Reply
from tiltyard.settings import Settings
from tiltyard.types.routes import ApplicationToken, ModelRoute, RouteTable

OF_NO_USE = "Of the prediction; this image keeps nothing, so it is of no further use."


class ForgetfulCore(Core):
    """Refuses actuals: there is nothing that they could be joined with."""

    def actuals(self, name: str, body: bytes, reply: Reply) -> None:
        """Say so."""
        error = KeepsNothingError(name)
        self.refuse(name, "actuals", error)
        reply.failed(error)


class OpenRoutes(Routes):
    """Routes that anybody may call."""

    def authorize(self, authorization: bytes, model: str) -> None:
        """Let everybody through; NotFoundError when there is no such model."""
        self.model(model)


class ExportedFront(Front):
    """Answers calls of one version.

    Args:
        settings: for the limits.
        route: of the model; its champion is the version.
        scorer: started and stopped with the front.
        token: what callers must send; None lets everybody call.
        on_given_up: called when the scorer is not tried any more.
    """

    def __init__(
        self,
        settings: Settings,
        route: ModelRoute,
        scorer: Scorer,
        token: str | None,
        on_given_up: Callable[[TiltyardError], None],
    ) -> None:
        super().__init__(settings)
        self._name = route.name
        self._table = _table(route, scorer.endpoint, token)
        self._scorer = scorer
        self._open = token is None
        self._on_given_up = on_given_up

    async def start(self) -> None:
        """Start the scorer; calls are answered once it has repeated the golden rows."""
        core = ForgetfulCore(self.settings.gateway, lambda: None, os.geteuid())
        core.spool = Oblivion(asyncio.get_running_loop().call_soon)
        routes = compile_routes(self._table, None, core.pools, self.settings.gateway.max_rows)
        core.routes = OpenRoutes(routes.table, routes.models) if self._open else routes
        self.begin(core)
        self.begin_sweeps()
        self._running = asyncio.create_task(self._run(self._scorer.run))

    async def stop(self) -> None:
        """End the scorer; the batch at hand was answered."""
        self.end_sweeps()
        self.core.pools.keep_only([])
        self._running.cancel()
        await self._scorer.end()

    @property
    def obstacle(self) -> str:
        """Why no call can be answered now."""
        pool = self.core.current().model(self._name).pool
        return "" if pool is not None and pool.ready else "the scorer is starting"

    def document(self, model: str, server: str) -> dict[str, Any]:
        """Return the document of predictions; there are no actuals."""
        document = super().document(model, server)
        del document["paths"][f"/models/{model}/actuals"]
        schemas = document["components"]["schemas"]
        for name in ("Actual", "ActualsRequest", "ActualsResponse"):
            del schemas[name]
        schemas["Prediction"]["properties"]["id"] = {"type": "string", "description": OF_NO_USE}
        if self._open:
            del document["security"], document["components"]["securitySchemes"]
        return document

    async def _run(self, scorer: Callable[[Callable[[], bool]], Awaitable[None]]) -> None:
        try:
            await scorer(lambda: self.ready)
        except TiltyardError as error:
            self._on_given_up(error)


def _table(route: ModelRoute, endpoint: str, token: str | None) -> RouteTable:
    if route.champion is not None:
        champion = route.champion.model_copy(update={"endpoints": (endpoint,)})
        route = route.model_copy(update={"champion": champion})
    known: tuple[ApplicationToken, ...] = ()
    if token is not None:
        digest = hashlib.sha256(token.encode()).hexdigest()
        known = (ApplicationToken(sha256=digest, name="caller", models=(route.name,)),)
    return RouteTable(number=1, models=(route,), tokens=known, id_key=secrets.token_hex(32))
