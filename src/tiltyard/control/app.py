"""Wires control: the one place where its parts meet."""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

import tiltyard
from tiltyard.artifacts import ArtifactStore
from tiltyard.client.transport import PREFIX
from tiltyard.control import errors
from tiltyard.control.api import (
    champions,
    deployments,
    events,
    gateways,
    history,
    live,
    models,
    monitor,
    runs,
    system,
    tokens,
    versions,
)
from tiltyard.control.changes import Changes, Poke, Snapshot
from tiltyard.control.history_series import HistorySeries
from tiltyard.control.limits import BodyLimit
from tiltyard.control.parts import Parts
from tiltyard.control.people import People
from tiltyard.control.performance import Performance
from tiltyard.control.prefix import WithoutPrefix
from tiltyard.control.scorers import Scorers
from tiltyard.control.verifiers import HUB_TOKEN_FILE, read_secret, verifiers
from tiltyard.registry import Registry, open_registry
from tiltyard.settings import Settings
from tiltyard.stores.open import open_store

SUBJECTS = (
    system,
    models,
    history,
    versions,
    deployments,
    champions,
    live,
    monitor,
    runs,
    tokens,
    gateways,
    events,
)

_ERRORS: dict[int | str, dict[str, Any]] = {
    HTTPStatus.UNPROCESSABLE_ENTITY.value: {
        "model": errors.ErrorDocument,
        "description": "What was given cannot be used.",
    },
    "default": {"model": errors.ErrorDocument, "description": "Any other error."},
}


def create_app(settings: Settings) -> FastAPI:
    """Return control's application; its parts are at ``app.state.parts``.

    They are open from now on and closed when the application has been served.

    Raises:
        ConflictError: the registry is not set up for this Tiltyard.
        UnavailableError: a database does not answer.
    """
    parts = _wire(settings)
    app = FastAPI(
        title="Tiltyard control",
        summary="The control plane: models, versions, champions, runs, live data.",
        version=tiltyard.__version__,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_operation_id,
        lifespan=_lifespan(parts),
    )
    app.state.parts = parts
    for subject in SUBJECTS:
        app.include_router(subject.router, prefix=PREFIX, responses=_ERRORS)
    app.add_middleware(BodyLimit, upload_bytes=settings.control.max_upload_mb * 1_000_000)
    app.add_middleware(Poke, changes=parts.changes)
    app.add_middleware(WithoutPrefix)
    errors.install(app)
    return app


def _lifespan(parts: Parts) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        opened = (parts.registry, parts.store, parts.people, parts.scorers)
        with ExitStack() as stack:
            for part in opened:
                stack.callback(part.close)
            async with parts.changes.running():
                yield

    return lifespan


def _wire(settings: Settings) -> Parts:
    registry = open_registry(settings.registry_url)
    store = open_store(settings.store_url)
    own_token = settings.path("tokens", HUB_TOKEN_FILE)
    people = People(settings.hub_api_url, lambda: read_secret(own_token))
    parts = Parts(
        settings=settings,
        registry=registry,
        store=store,
        artifacts=ArtifactStore(settings.path("artifacts")),
        performance=Performance(registry, store),
        histories=HistorySeries(store),
        changes=Changes(_look(registry)),
        people=people,
        scorers=Scorers(settings),
        verifiers=verifiers(settings, registry.tokens, people),
    )
    shutil.rmtree(parts.scratch, ignore_errors=True)
    parts.scratch.mkdir(parents=True)
    return parts


def _look(registry: Registry) -> Callable[[], Snapshot]:
    event = 0

    def look() -> Snapshot:
        nonlocal event
        while newer := registry.events.after(event):
            event = max(event, newer[-1].id)
        confirmed = {g.name: g.confirmed_route for g in registry.gateways.list()}
        return Snapshot(registry.routes.number(), confirmed, event)

    return look


def _operation_id(route: APIRoute) -> str:
    return route.name
