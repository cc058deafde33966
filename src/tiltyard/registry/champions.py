"""Champions: the pointer of each model and its ledger, changed in one transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from tiltyard.errors import (
    ConflictError,
    InvalidInputError,
    LostRaceError,
    NotDeployedError,
)
from tiltyard.registry import ledger
from tiltyard.registry.clock import instant
from tiltyard.registry.database import Database, next_route
from tiltyard.registry.events import record
from tiltyard.registry.reading import find_model, find_version, is_healthy
from tiltyard.registry.tables import champions
from tiltyard.types.registry import LedgerEntry, LedgerHead, Promotion

PROMOTE = "promote"
ROLLBACK = "rollback"


class Champions:
    """At most one champion a model; every change is a line of its ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def promote(
        self,
        model: str,
        version: int,
        expected_champion: int | None,
        reason: str,
        who: str,
        evidence: Mapping[str, Any] | None = None,
    ) -> Promotion:
        """Make a version the champion, if the present one is still the expected one.

        Args:
            model: name.
            version: the new champion.
            expected_champion: the present one; None for none.
            reason: why, for the ledger.
            who: name of the principal.
            evidence: JSON for the ledger.

        Raises:
            NotFoundError: there is no such model or version.
            InvalidInputError: no reason was given, or the evidence is not JSON.
            LostRaceError: the champion is another one than expected.
            ConflictError: the version is champion already.
            NotDeployedError: the version has no healthy deployment.
        """
        with self._database.write() as connection:
            champion = find_model(connection, model).champion
            find_version(connection, model, version)
            if champion != expected_champion:
                raise LostRaceError(model, expected_champion, champion)
            return _switch(connection, model, version, PROMOTE, reason, who, evidence or {})

    def rollback(
        self, model: str, reason: str, who: str, expected_champion: int | None = None
    ) -> Promotion:
        """Promote the champion before the present one; again, the one before that.

        Raises:
            NotFoundError: there is no such model.
            InvalidInputError: no reason was given.
            LostRaceError: ``expected_champion`` is given and the champion is another one.
            ConflictError: there is no earlier champion.
            NotDeployedError: the earlier champion has no healthy deployment.
        """
        with self._database.write() as connection:
            champion = find_model(connection, model).champion
            if expected_champion not in {None, champion}:
                raise LostRaceError(model, expected_champion, champion)
            version = _earlier(model, ledger.read(connection, model))
            return _switch(connection, model, version, ROLLBACK, reason, who, {})

    def ledger(self, model: str) -> list[LedgerEntry]:
        """Return a model's ledger in order.

        Raises:
            NotFoundError: there is no such model.
        """
        with self._database.read() as connection:
            find_model(connection, model)
            return [ledger.to_entry(row) for row in ledger.read(connection, model)]

    def head(self, model: str) -> LedgerHead:
        """Return length and last hash of a model's ledger.

        Raises:
            NotFoundError: there is no such model.
        """
        with self._database.read() as connection:
            find_model(connection, model)
            return ledger.head(connection, model)

    def demoted_at(self, model: str, version: int) -> datetime | None:
        """Return when a version last ceased to be champion; None if it never did."""
        with self._database.read() as connection:
            rows = ledger.read(connection, model)
        times = [row["at"] for row in rows if row["from_version"] == version]
        return instant(times[-1]) if times else None

    def verify(self, model: str, known_heads: Sequence[LedgerHead] = ()) -> list[str]:
        """Return sentences of what is wrong with a model's ledger; none means it is whole.

        Args:
            model: name; one that gateways know and the registry has lost is found too.
            known_heads: heads that gateways have seen.

        Raises:
            NotFoundError: nobody knows such a model.
        """
        with self._database.read() as connection:
            rows = ledger.read(connection, model)
            pointer = select(champions.c.version).where(champions.c.model == model)
            champion = connection.execute(pointer).scalar()
            if not rows and not any(known.length for known in known_heads):
                find_model(connection, model)
        return ledger.faults(model, rows, champion, known_heads)


def _switch(
    connection: Connection,
    model: str,
    version: int,
    action: str,
    reason: str,
    who: str,
    evidence: Mapping[str, Any],
) -> Promotion:
    if not reason.strip():
        raise InvalidInputError("A promotion needs a reason: say why in a few words.")
    champion = find_model(connection, model).champion
    if champion == version:
        raise ConflictError(f"{model} version {version} is the champion already.")
    if not is_healthy(connection, model, version):
        raise NotDeployedError(model, version)
    entry = ledger.append(connection, model, who, action, champion, version, reason, evidence)
    connection.execute(delete(champions).where(champions.c.model == model))
    connection.execute(insert(champions).values(model=model, version=version))
    route = next_route(connection)
    data = {"action": action, "from": champion, "to": version, "who": who, "route_number": route}
    record(connection, "model.promoted", model, data)
    return Promotion(entry=entry, route_number=route)


def _earlier(model: str, rows: Sequence[Mapping[str, Any]]) -> int:
    # A promotion puts its version on top, a rollback takes the top away.
    champions_before: list[int] = []
    for row in rows:
        if row["action"] == ROLLBACK:
            champions_before.pop()
        else:
            champions_before.append(row["to_version"])
    if len(champions_before) < 2:  # noqa: PLR2004  the present one and one before
        raise ConflictError(f"{model} has no earlier champion to roll back to.")
    return champions_before[-2]
