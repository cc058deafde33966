"""Gateways, and the routes that they and workers follow."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response
from starlette.concurrency import run_in_threadpool

from tiltyard.control.auth import Anyone, require
from tiltyard.control.parts import Wired
from tiltyard.types.base import Document
from tiltyard.types.registry import LedgerHead, Principal, Scope
from tiltyard.types.routes import GatewayInfo, RouteTable

router = APIRouter(tags=["gateways"])

LONGEST_WAIT_S = 60.0

Gateway = Annotated[Principal, require(Scope.GATEWAY)]
Follower = Annotated[Principal, require(Scope.GATEWAY, Scope.WORKER)]


class GatewayBody(Document):
    """A gateway; ``spool`` is a text of its own for each spool folder."""

    name: str
    url: str
    spool: str


class Confirmation(Document):
    """Calls begun under older routes have ended; the ledgers' heads as the routes told them."""

    route_number: int
    ledgers: dict[str, LedgerHead] = {}


@router.post("/gateways")
def register_gateway(body: GatewayBody, _: Gateway, parts: Wired) -> GatewayInfo:
    """Register a gateway; a new spool folder gets a new number."""
    return parts.registry.gateways.register(body.name, body.url, body.spool)


@router.get("/gateways")
def list_gateways(_: Anyone, parts: Wired) -> list[GatewayInfo]:
    """Return the registered gateways by name."""
    return parts.registry.gateways.list()


@router.delete("/gateways/{name}", status_code=HTTPStatus.NO_CONTENT)
def remove_gateway(name: str, _: Gateway, parts: Wired) -> None:
    """Unregister a gateway: promotions wait for it no more."""
    parts.registry.gateways.remove(name)


@router.post("/gateways/{name}/confirm")
def confirm_routes(name: str, body: Confirmation, _: Gateway, parts: Wired) -> GatewayInfo:
    """Note what routes a gateway works by."""
    return parts.registry.gateways.confirm(name, body.route_number, body.ledgers)


@router.get(
    "/routes",
    response_model=RouteTable,
    responses={HTTPStatus.NO_CONTENT: {"description": "Nothing newer came in time."}},
)
async def get_routes(
    _: Follower,
    parts: Wired,
    after: int | None = None,
    wait_s: Annotated[float, Query(ge=0, le=LONGEST_WAIT_S)] = 0.0,
) -> Response:
    """Return the route table as soon as it is newer than ``after``."""
    if after is not None and not await parts.changes.until(
        lambda now: now.route_number > after, wait_s
    ):
        return Response(status_code=HTTPStatus.NO_CONTENT)
    table = await run_in_threadpool(parts.registry.routes.table)
    return Response(table.model_dump_json(), media_type="application/json")
