"""Is control there, and who am I?"""

from fastapi import APIRouter

import tiltyard
from tiltyard.control.auth import Anyone
from tiltyard.types.base import Document
from tiltyard.types.registry import Principal

router = APIRouter(tags=["system"])


class Health(Document):
    """Control answers."""

    status: str
    version: str


@router.get("/health")
async def health() -> Health:
    """Say that control answers; the one call without a token."""
    return Health(status="ok", version=tiltyard.__version__)


@router.get("/me")
async def me(principal: Anyone) -> Principal:
    """Return who the token belongs to."""
    return principal
