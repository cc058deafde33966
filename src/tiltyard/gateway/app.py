"""All routes but the two verbs: health, metrics, documents, the Open Inference Protocol."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tiltyard.errors import NotFoundError, TiltyardError
from tiltyard.gateway.errors import MethodNotAllowedError
from tiltyard.gateway.front import Front
from tiltyard.gateway.http import error_headers
from tiltyard.gateway.oip import InferenceRoutes, is_oip, oip_error


def make_app(front: Front) -> Starlette:
    """Return the ASGI application; its lifespan starts and stops the front."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await front.start()
        yield
        await front.stop()

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_: Request) -> Response:
        status = HTTPStatus.OK if front.ready else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse({"status": front.obstacle or "ready"}, status)

    async def metrics(_: Request) -> Response:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(front.core.stats)
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    async def openapi(request: Request) -> Response:
        routes, name = front.core.current(), request.path_params["model"]
        routes.authorize(request.headers.get("authorization", "").encode("latin-1"), name)
        server = str(request.base_url).rstrip("/")
        return JSONResponse(front.document(name, server))

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            Route("/models/{model}/openapi.json", openapi),
            *InferenceRoutes(front).routes(),
        ],
        lifespan=lifespan,
        exception_handlers={
            TiltyardError: _tiltyard_error,
            HTTPException: _http_error,
            ClientDisconnect: _gone,
        },
    )


async def _gone(_: Request, __: Exception) -> Response:
    """Answer nobody: the client left, or was too slow and has its answer."""
    return Response(status_code=HTTPStatus.BAD_REQUEST)


async def _tiltyard_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, TiltyardError):
        raise error
    if is_oip(request.url.path):
        return oip_error(error)
    return JSONResponse(error.body(), error.status, error_headers(error))


async def _http_error(request: Request, error: Exception) -> Response:
    """Give Starlette's own errors the one shape."""
    if not isinstance(error, HTTPException):
        raise error
    path = request.url.path
    ours: TiltyardError = NotFoundError("path", path)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "GET")
        ours = MethodNotAllowedError(request.method, path, allowed)
    return await _tiltyard_error(request, ours)
