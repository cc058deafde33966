"""Gateways: their numbers, the routes they have confirmed, the ledgers they have seen."""

import builtins
from collections.abc import Mapping

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from tiltyard.errors import ConflictError, InvalidInputError, NotFoundError
from tiltyard.registry.clock import instant, now
from tiltyard.registry.database import Database
from tiltyard.registry.events import record
from tiltyard.registry.tables import counters, gateways, ledger_heads, spools
from tiltyard.types.registry import LedgerHead
from tiltyard.types.routes import GatewayInfo

MAX_TEXT = 700
GATEWAYS = select(gateways, spools.c.spool).join(spools, spools.c.number == gateways.c.number)


class Gateways:
    """Registered gateways. Spools are numbered for ever, so that no key is given twice."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, name: str, url: str, spool: str) -> GatewayInfo:
        """Register a gateway, or again after a start: it has confirmed nothing yet.

        Args:
            name: of the gateway.
            url: where applications reach it.
            spool: a text of its own for each spool folder; a new one gets a new number.

        Raises:
            InvalidInputError: a text is empty or longer than 700 (the name: 200).
            ConflictError: another registered gateway writes that spool.
        """
        _check_texts(name, url, spool)
        with self._database.write() as connection:
            number = _number(connection, spool)
            _refuse_shared(connection, name, number)
            connection.execute(delete(gateways).where(gateways.c.name == name))
            values = {"name": name, "number": number, "url": url, "seen_at": now()}
            connection.execute(insert(gateways).values(**values, confirmed_route=0))
            record(connection, "gateway.registered", None, {"gateway": name, "number": number})
            return _find(connection, name)

    def confirm(
        self, name: str, route_number: int, ledgers: Mapping[str, LedgerHead]
    ) -> GatewayInfo:
        """Note that calls begun under older routes have ended, and the ledgers' heads.

        Raises:
            NotFoundError: the gateway is not registered.
            ConflictError: there are no such routes yet (a registry from a backup).
        """
        with self._database.write() as connection:
            known = _find(connection, name).confirmed_route
            latest = connection.execute(
                select(counters.c.value).where(counters.c.name == "route")
            ).scalar_one()
            if route_number > latest:
                raise ConflictError(
                    f"Gateway {name} confirms routes {route_number}, the registry is at {latest}: "
                    "was it restored from a backup? Remove the gateway's routes.json and start it "
                    "again.",
                )
            values = {"confirmed_route": max(known, route_number), "seen_at": now()}
            connection.execute(update(gateways).where(gateways.c.name == name).values(values))
            for model, head in ledgers.items():
                _keep_head(connection, name, model, head)
            return _find(connection, name)

    def list(self) -> builtins.list[GatewayInfo]:
        """Return all registered gateways by name."""
        with self._database.read() as connection:
            rows = connection.execute(GATEWAYS.order_by(gateways.c.name)).mappings()
            return [_info(row) for row in rows]

    def remove(self, name: str) -> None:
        """Unregister a gateway; the number of its spool and its heads stay.

        Raises:
            NotFoundError: the gateway is not registered.
        """
        with self._database.write() as connection:
            _find(connection, name)
            connection.execute(delete(gateways).where(gateways.c.name == name))
            record(connection, "gateway.removed", None, {"gateway": name})

    def heads(self, model: str) -> builtins.list[LedgerHead]:
        """Return all heads of a model's ledger that gateways have seen, the shortest first."""
        query = select(ledger_heads).where(ledger_heads.c.model == model)
        query = query.order_by(ledger_heads.c.length, ledger_heads.c.hash)
        with self._database.read() as connection:
            return [LedgerHead(length=r.length, hash=r.hash) for r in connection.execute(query)]


def _number(connection: Connection, spool: str) -> int:
    query = select(spools.c.number).where(spools.c.spool == spool)
    number = connection.execute(query).scalar()
    if number is None:
        connection.execute(insert(spools).values(spool=spool))
        number = connection.execute(query).scalar_one()
    return int(number)


def _refuse_shared(connection: Connection, name: str, number: int) -> None:
    others = gateways.c.number == number, gateways.c.name != name
    other = connection.execute(select(gateways.c.name).where(*others)).scalar()
    if other is not None:
        raise ConflictError(
            f"Gateway {other} writes this spool: give {name} a folder of its own, or run "
            f"`tiltyard gateway remove {other}`."
        )


def _keep_head(connection: Connection, name: str, model: str, head: LedgerHead) -> None:
    c = ledger_heads.c
    chosen = c.model == model, c.length == head.length, c.hash == head.hash
    known = connection.execute(select(c.length).where(*chosen)).first()
    if head.length and known is None:
        values = {"model": model, **head.model_dump(), "gateway": name, "seen_at": now()}
        connection.execute(insert(ledger_heads).values(values))


def _find(connection: Connection, name: str) -> GatewayInfo:
    row = connection.execute(GATEWAYS.where(gateways.c.name == name)).mappings().first()
    if row is None:
        known = connection.execute(select(gateways.c.name).order_by(gateways.c.name)).scalars()
        raise NotFoundError("gateway", name, known.all())
    return _info(row)


def _info(row: RowMapping) -> GatewayInfo:
    return GatewayInfo(
        name=row["name"],
        number=row["number"],
        url=row["url"],
        spool=row["spool"],
        confirmed_route=row["confirmed_route"],
        seen_at=instant(row["seen_at"]),
    )


def _check_texts(name: str, url: str, spool: str) -> None:
    for word, text, longest in (
        ("name", name, 200),
        ("url", url, MAX_TEXT),
        ("spool", spool, MAX_TEXT),
    ):
        if not 0 < len(text) <= longest:
            raise InvalidInputError(f"A gateway's {word} has 1 to {longest} characters.")
