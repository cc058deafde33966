"""Tokens of applications."""

from http import HTTPStatus

from fastapi import APIRouter

from tiltyard.control.auth import Operator
from tiltyard.control.parts import Wired
from tiltyard.types.base import Document
from tiltyard.types.registry import IssuedToken, TokenInfo

router = APIRouter(prefix="/tokens", tags=["tokens"])


class TokenBody(Document):
    """An application and the models it may call."""

    name: str
    models: tuple[str, ...]


@router.post("", status_code=HTTPStatus.CREATED)
def issue_token(body: TokenBody, principal: Operator, parts: Wired) -> IssuedToken:
    """Make an application's token; its text is shown this once."""
    return parts.registry.tokens.issue_application(body.name, body.models, principal.name)


@router.get("")
def list_tokens(_: Operator, parts: Wired) -> list[TokenInfo]:
    """Return all tokens there are."""
    return parts.registry.tokens.list()


@router.delete("/{token}", status_code=HTTPStatus.NO_CONTENT)
def revoke_token(token: str, _: Operator, parts: Wired) -> None:
    """Revoke a token by its id."""
    parts.registry.tokens.revoke(token)
