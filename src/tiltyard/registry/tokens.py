"""Tokens of applications and principals; only the SHA-256 of their texts is kept."""

import builtins
import hashlib
import json
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, or_, select

from tiltyard.errors import InvalidInputError, NotFoundError
from tiltyard.registry.clock import instant, microseconds, now
from tiltyard.registry.database import Database, next_route
from tiltyard.registry.events import record
from tiltyard.registry.reading import find_model
from tiltyard.registry.tables import tokens
from tiltyard.types.registry import IssuedToken, Principal, Scope, TokenInfo

PREFIX = "tyd_"
LOCAL = "tiltyard up"


class Tokens:
    """Applications' tokens travel with the routes; principals' are looked up here."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def issue_application(self, name: str, models: Sequence[str], created_by: str) -> IssuedToken:
        """Make a token with which an application may call these models.

        Raises:
            NotFoundError: there is no such model.
            InvalidInputError: no model, or no name, is given.
        """
        if not models:
            raise InvalidInputError("An application's token needs at least one model.")
        with self._database.write() as connection:
            names = sorted({find_model(connection, model).name for model in models})
            issued = _issue(connection, name, created_by, models=json.dumps(names))
            next_route(connection)
            return issued

    def issue_principal(
        self,
        name: str,
        scopes: Sequence[Scope],
        groups: Sequence[str],
        created_by: str,
        run: str | None = None,
        expires_at: datetime | None = None,
    ) -> IssuedToken:
        """Make a token with which a principal may call control.

        Args:
            name: of the principal.
            scopes: what it may do.
            groups: whose models it may change; the first one gets those that it makes.
            created_by: name of who made it.
            run: the run in whose name it calls; the token ends with that run's attempt.
            expires_at: aware; from then on nobody knows the token.
        """
        rights = {**_rights(scopes, groups), "run": run}
        rights["expires_at"] = None if expires_at is None else microseconds(expires_at)
        with self._database.write() as connection:
            connection.execute(delete(tokens).where(tokens.c.expires_at <= now()))
            return _issue(connection, name, created_by, **rights)

    def put_principal(
        self, name: str, token_text: str, scopes: Sequence[Scope], groups: Sequence[str]
    ) -> TokenInfo:
        """Keep the text of a local token; another text under its name replaces it.

        Raises:
            InvalidInputError: the name is empty, or the text is too short to be a secret.
        """
        if len(token_text) < len(PREFIX) + 32:
            raise InvalidInputError("A local token's text must have at least 36 characters.")
        mine = (tokens.c.local.is_(True)) & (tokens.c.name == name)
        values = _rights(scopes, groups)
        with self._database.write() as connection:
            old = connection.execute(select(tokens).where(mine)).mappings().first()
            same = {"sha256": _sha256(token_text), **values}
            if old is not None and {key: old[key] for key in same} == same:
                return _info(old)
            gone = or_(mine, tokens.c.sha256 == _sha256(token_text))
            connection.execute(delete(tokens).where(gone))
            id_ = _insert(connection, name, token_text, LOCAL, local=True, **values)
            return _find(connection, id_)

    def revoke(self, id: str) -> None:  # noqa: A002  the document's own word
        """End a token.

        Raises:
            NotFoundError: there is no such token.
        """
        with self._database.write() as connection:
            info = _find(connection, id)
            connection.execute(delete(tokens).where(tokens.c.id == id))
            if info.models is not None:
                next_route(connection)
            record(connection, "token.revoked", None, {"token": id, "name": info.name})

    def revoke_run(self, run_id: str) -> None:
        """End all tokens of a run."""
        with self._database.write() as connection:
            connection.execute(delete(tokens).where(tokens.c.run == run_id))

    def list(self) -> builtins.list[TokenInfo]:
        """Return all tokens in the order in which they were made."""
        query = select(tokens).order_by(tokens.c.created_at, tokens.c.id)
        with self._database.read() as connection:
            return [_info(row) for row in connection.execute(query).mappings()]

    def principal(self, token_text: str) -> Principal | None:
        """Return whose token it is; None for an unknown, an expired or an application's."""
        chosen = tokens.c.sha256 == _sha256(token_text), tokens.c.scopes.is_not(None)
        alive = or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > now())
        with self._database.read() as connection:
            row = connection.execute(select(tokens).where(*chosen, alive)).mappings().first()
        return None if row is None else _principal(row)


def _issue(connection: Connection, name: str, created_by: str, **rights: Any) -> IssuedToken:
    text = PREFIX + secrets.token_urlsafe(32)
    id_ = _insert(connection, name, text, created_by, local=False, **rights)
    record(connection, "token.issued", None, {"token": id_, "name": name})
    return IssuedToken(id=id_, name=name, token=text)


def _insert(connection: Connection, name: str, text: str, created_by: str, **columns: Any) -> str:
    if not name.strip():
        raise InvalidInputError("A token needs a name: say who will use it.")
    values = {
        "id": secrets.token_hex(4),
        "name": name,
        "sha256": _sha256(text),
        "member_of": "[]",
        "created_at": now(),
        "created_by": created_by,
        **columns,
    }
    connection.execute(insert(tokens).values(values))
    return str(values["id"])


def _rights(scopes: Sequence[Scope], groups: Sequence[str]) -> dict[str, Any]:
    return {"scopes": json.dumps(sorted(scopes)), "member_of": json.dumps(list(groups))}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _find(connection: Connection, id_: str) -> TokenInfo:
    row = connection.execute(select(tokens).where(tokens.c.id == id_)).mappings().first()
    if row is None:
        raise NotFoundError("token", id_)
    return _info(row)


def _info(row: RowMapping) -> TokenInfo:
    return TokenInfo(
        id=row["id"],
        name=row["name"],
        models=None if row["models"] is None else tuple(json.loads(row["models"])),
        scopes=None if row["scopes"] is None else _scopes(row),
        created_at=instant(row["created_at"]),
        created_by=row["created_by"],
    )


def _scopes(row: RowMapping) -> tuple[Scope, ...]:
    return tuple(Scope(scope) for scope in json.loads(row["scopes"]))


def _principal(row: RowMapping) -> Principal:
    groups = tuple(json.loads(row["member_of"]))
    return Principal(name=row["name"], groups=groups, scopes=_scopes(row), run=row["run"])
