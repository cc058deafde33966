"""Champions: promotion, rollback and the ledger."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from tiltyard.control.auth import Anyone, Promoter, owned
from tiltyard.control.bodies import Responses
from tiltyard.control.changes import Snapshot
from tiltyard.control.parts import Parts, Wired
from tiltyard.types.base import Document
from tiltyard.types.registry import LedgerEntry, Principal, Promotion

router = APIRouter(prefix="/models/{model}", tags=["champions"])

_LATE: Responses = {
    HTTPStatus.ACCEPTED.value: {
        "model": Promotion,
        "description": "Promoted, but `waiting_for` names gateways that have not confirmed.",
    }
}

Reason = Annotated[str, Field(min_length=1, max_length=2000)]


class PromoteBody(Document):
    """Who is to be champion, instead of whom, and why."""

    version: int
    expected_champion: int | None
    reason: Reason


class RollbackBody(Document):
    """Why; no expected champion means whoever it is."""

    reason: Reason
    expected_champion: int | None = None


@router.post("/promote", responses=_LATE)
async def promote_version(
    model: str, body: PromoteBody, principal: Promoter, parts: Wired, response: Response
) -> Promotion:
    """Make a version champion; 200 means that no answer comes from the old one any more."""
    promotion = await run_in_threadpool(_promote, parts, principal, model, body)
    return await _confirmed(parts, promotion, response)


@router.post("/rollback", responses=_LATE)
async def roll_back(
    model: str, body: RollbackBody, principal: Promoter, parts: Wired, response: Response
) -> Promotion:
    """Make the champion before this one champion again."""
    promotion = await run_in_threadpool(_roll_back, parts, principal, model, body)
    return await _confirmed(parts, promotion, response)


@router.get("/ledger")
def get_ledger(model: str, _: Anyone, parts: Wired) -> list[LedgerEntry]:
    """Return a model's ledger, oldest entry first."""
    return parts.registry.champions.ledger(model)


def _promote(parts: Parts, principal: Principal, model: str, body: PromoteBody) -> Promotion:
    owned(parts, principal, model)
    return parts.registry.champions.promote(
        model, body.version, body.expected_champion, body.reason, principal.name
    )


def _roll_back(parts: Parts, principal: Principal, model: str, body: RollbackBody) -> Promotion:
    owned(parts, principal, model)
    return parts.registry.champions.rollback(
        model, body.reason, principal.name, body.expected_champion
    )


async def _confirmed(parts: Parts, promotion: Promotion, response: Response) -> Promotion:
    number = promotion.route_number
    timeout = parts.settings.control.confirm_timeout_s
    if await parts.changes.until(lambda now: not _late(now, number), timeout):
        return promotion
    gateways = await run_in_threadpool(parts.registry.gateways.list)
    waiting = tuple(g.name for g in gateways if g.confirmed_route < number)
    if waiting:
        response.status_code = HTTPStatus.ACCEPTED
    return promotion.model_copy(update={"waiting_for": waiting})


def _late(now: Snapshot, number: int) -> bool:
    return any(confirmed < number for confirmed in now.confirmed.values())
