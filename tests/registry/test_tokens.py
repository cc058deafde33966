"""Tokens are shown once and known by their SHA-256."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.registry import add_model
from tiltyard.errors import InvalidInputError, NotFoundError
from tiltyard.registry import Registry
from tiltyard.types.registry import Principal, Scope

LOCAL = "tyd_" + "local-" * 8


def test_a_principal_is_known_by_its_token(registry: Registry) -> None:
    """Name, scopes, groups and run come back; anything else is nobody."""
    issued = registry.tokens.issue_principal(
        "ada", [Scope.SCIENTIST, Scope.PROMOTER], ["rental", "nasa"], "root", run="run-1"
    )
    assert issued.token.startswith("tyd_")
    assert len(issued.token) == 4 + 43
    assert registry.tokens.principal(issued.token) == Principal(
        name="ada",
        groups=("rental", "nasa"),
        scopes=(Scope.PROMOTER, Scope.SCIENTIST),
        run="run-1",
    )
    for other in ("", issued.token[:-1], issued.token + "x", issued.id):
        assert registry.tokens.principal(other) is None


def test_no_text_is_kept(registry: Registry, tmp_path: Path) -> None:
    """The database holds the SHA-256 and not the text."""
    issued = registry.tokens.issue_principal("ada", [Scope.VIEWER], [], "root")
    registry.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert issued.token.encode() not in kept
    assert hashlib.sha256(issued.token.encode()).hexdigest().encode() in kept


def test_an_applications_token_is_no_principals(registry: Registry) -> None:
    """It calls models at the gateway, not control."""
    add_model(registry)
    add_model(registry, "shuttle")
    models = ["shuttle", "bikeshare", "shuttle"]
    issued = registry.tokens.issue_application("shop", models, "ada")
    assert registry.tokens.principal(issued.token) is None
    (info,) = registry.tokens.list()
    assert (info.models, info.scopes, info.name) == (("bikeshare", "shuttle"), None, "shop")
    (token,) = registry.routes.table().tokens
    assert token.sha256 == hashlib.sha256(issued.token.encode()).hexdigest()
    registry.tokens.revoke(issued.id)
    assert registry.routes.table().tokens == ()


def test_tokens_that_cannot_be_issued(registry: Registry) -> None:
    """No model, an unknown one, no name."""
    add_model(registry)
    with pytest.raises(InvalidInputError, match="at least one model"):
        registry.tokens.issue_application("shop", [], "ada")
    with pytest.raises(NotFoundError, match="Known: bikeshare"):
        registry.tokens.issue_application("shop", ["bikes"], "ada")
    with pytest.raises(InvalidInputError, match="name"):
        registry.tokens.issue_application(" ", ["bikeshare"], "ada")
    with pytest.raises(InvalidInputError, match="36 characters"):
        registry.tokens.put_principal("cli", "short", [Scope.OPERATOR], [])
    assert registry.tokens.list() == []


def test_revoking(registry: Registry) -> None:
    """A revoked token is nobody's, and cannot be revoked again."""
    issued = registry.tokens.issue_principal("ada", [Scope.VIEWER], [], "root")
    registry.tokens.revoke(issued.id)
    assert registry.tokens.principal(issued.token) is None
    with pytest.raises(NotFoundError):
        registry.tokens.revoke(issued.id)
    run = registry.tokens.issue_principal("ada", [Scope.VIEWER], [], "root", run="run-1")
    registry.tokens.revoke_run("run-2")
    assert registry.tokens.principal(run.token) is not None
    registry.tokens.revoke_run("run-1")
    assert registry.tokens.principal(run.token) is None


def test_expiry(registry: Registry) -> None:
    """An expired token is nobody's, and is gone when the next one is made."""
    now = datetime.now(UTC)
    old, new = (
        registry.tokens.issue_principal("ada", [], [], "root", expires_at=now + timedelta(hours=h))
        for h in (-1, 1)
    )
    assert registry.tokens.principal(old.token) is None
    assert registry.tokens.principal(new.token) is not None
    assert [token.id for token in registry.tokens.list()] == [new.id]


def test_local_tokens_are_put_again_and_again(registry: Registry) -> None:
    """The same text changes nothing; new rights or a new text replace it."""
    first = registry.tokens.put_principal("cli", LOCAL, [Scope.OPERATOR], ["rental"])
    assert registry.tokens.put_principal("cli", LOCAL, [Scope.OPERATOR], ["rental"]) == first
    registry.tokens.put_principal("cli", LOCAL, [Scope.VIEWER], [])
    assert registry.tokens.principal(LOCAL) == Principal(name="cli", scopes=(Scope.VIEWER,))
    registry.tokens.put_principal("cli", LOCAL + "2", [Scope.VIEWER], [])
    assert registry.tokens.principal(LOCAL) is None
    issued = registry.tokens.issue_principal("cli", [Scope.VIEWER], [], "root")
    registry.tokens.put_principal("cli", LOCAL, [Scope.VIEWER], [])
    assert registry.tokens.principal(issued.token) is not None
    assert len(registry.tokens.list()) == 2
