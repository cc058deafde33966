"""How versions do: metrics, the check, scored rows, and followers."""

from fastapi import APIRouter

router = APIRouter(prefix="/models/{model}", tags=["live"])
