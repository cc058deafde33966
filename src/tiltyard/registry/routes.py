"""The route table that gateways and workers follow, assembled from all that shapes it."""

import json

from sqlalchemy import Connection, and_, func, or_, select

from tiltyard.registry.database import Database
from tiltyard.registry.reading import select_models, to_model
from tiltyard.registry.tables import (
    champions,
    counters,
    deployments,
    ledger,
    meta,
    tokens,
    versions,
)
from tiltyard.types.registry import DeploymentState, LedgerHead, Model, VersionManifest
from tiltyard.types.routes import ApplicationToken, ModelRoute, RouteTable, VersionRoute


class Routes:
    """The present routes; whatever changes them takes the next number in its transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def number(self) -> int:
        """Return the number of the present routes."""
        with self._database.read() as connection:
            return _number(connection)

    def table(self) -> RouteTable:
        """Return all routes.

        A champion without a healthy deployment has no endpoints (and, if it is on none, an
        empty deployment); challengers are the other versions with a healthy one.
        """
        with self._database.read() as connection:
            models = [to_model(row) for row in connection.execute(select_models()).mappings()]
            versions_of = _version_routes(connection)
            heads = _heads(connection)
            return RouteTable(
                number=_number(connection),
                models=tuple(_route(m, versions_of.get(m.name, {}), heads) for m in models),
                tokens=_tokens(connection),
                id_key=_id_key(connection),
            )


def _number(connection: Connection) -> int:
    query = select(counters.c.value).where(counters.c.name == "route")
    return int(connection.execute(query).scalar_one())


def _id_key(connection: Connection) -> str:
    return str(connection.execute(select(meta.c.value).where(meta.c.name == "id_key")).scalar_one())


def _route(
    model: Model, versions_of: dict[int, VersionRoute], heads: dict[str, LedgerHead]
) -> ModelRoute:
    return ModelRoute(
        name=model.name,
        number=model.number,
        task=model.task,
        call_schema=model.call_schema,
        champion=None if model.champion is None else versions_of[model.champion],
        challengers=tuple(r for v, r in versions_of.items() if v != model.champion),
        ledger=heads.get(model.name, LedgerHead()),
    )


def _version_routes(connection: Connection) -> dict[str, dict[int, VersionRoute]]:
    v, d, c = versions.c, deployments.c, champions.c
    healthy = and_(
        d.model == v.model,
        d.version == v.version,
        d.state == DeploymentState.HEALTHY.value,
    )
    joined = versions.outerjoin(deployments, healthy).outerjoin(
        champions, and_(c.model == v.model, c.version == v.version)
    )
    query = (
        select(v.model, v.version, v.manifest, d.id, d.endpoints)
        .select_from(joined)
        .where(or_(c.version.is_not(None), and_(d.id.is_not(None), v.retired.is_(False))))
        .order_by(v.model, v.version)
    )
    routes: dict[str, dict[int, VersionRoute]] = {}
    for row in connection.execute(query):
        routes.setdefault(row.model, {})[row.version] = VersionRoute(
            version=row.version,
            deployment=row.id or "",
            signature=VersionManifest.model_validate_json(row.manifest).signature,
            endpoints=tuple(json.loads(row.endpoints or "[]")),
        )
    return routes


def _heads(connection: Connection) -> dict[str, LedgerHead]:
    lengths = select(ledger.c.model, func.max(ledger.c.number).label("length"))
    last = lengths.group_by(ledger.c.model).subquery()
    query = select(ledger.c.model, ledger.c.number, ledger.c.hash).join(
        last, and_(ledger.c.model == last.c.model, ledger.c.number == last.c.length)
    )
    rows = connection.execute(query)
    return {row.model: LedgerHead(length=row.number, hash=row.hash) for row in rows}


def _tokens(connection: Connection) -> tuple[ApplicationToken, ...]:
    query = select(tokens).where(tokens.c.models.is_not(None)).order_by(tokens.c.id)
    return tuple(
        ApplicationToken(sha256=row.sha256, name=row.name, models=tuple(json.loads(row.models)))
        for row in connection.execute(query)
    )
