"""The route table as the hot path needs it: decoders, packers and pools, compiled once."""

import hashlib
import logging
from collections.abc import Callable

from tiltyard.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    TiltyardError,
    UnauthenticatedError,
)
from tiltyard.gateway.decoding import ActualsDecoder, RowsDecoder
from tiltyard.gateway.packing import Packer
from tiltyard.gateway.pool import Pool
from tiltyard.gateway.tickets import Ticket
from tiltyard.settings import GatewaySettings
from tiltyard.types.routes import ApplicationToken, ModelRoute, RouteTable, VersionRoute
from tiltyard.types.schema import Label

logger = logging.getLogger(__name__)


class RoutedModel:
    """One model of a table.

    Attributes:
        champion: the version that answers, if there is one.
        pool: its scorers.
        classes: names of the probabilities in an answer, in the signature's order.
    """

    def __init__(self, route: ModelRoute, pool: Pool | None, max_rows: int) -> None:
        self.route = route
        self.name = route.name
        self.number = route.number
        self.champion = route.champion
        self.pool = pool
        signature = route.champion.signature if route.champion else None
        self.rows = RowsDecoder(route.name, route.call_schema, signature, max_rows)
        self.actuals = ActualsDecoder(route.name, route.call_schema.target_type, max_rows)
        self.packer = Packer(signature, self.rows.columns) if signature else None
        classes = (signature.output.classes or ()) if signature else ()
        self.classes = [class_name(label) for label in classes]

    def answering(self) -> tuple[VersionRoute, Pool, Packer]:
        """Return what answers a call.

        Raises:
            ConflictError: the model has no champion.
        """
        if self.champion is None or self.pool is None or self.packer is None:
            raise ConflictError(
                f"{self.name!r} has no champion: promote a version first.", reason="no_champion"
            )
        return self.champion, self.pool, self.packer


class Routes:
    """One route table, and how many calls that began under it are still open."""

    def __init__(self, table: RouteTable, models: dict[str, RoutedModel]) -> None:
        self.table = table
        self.number = table.number
        self.models = models
        self.id_key = bytes.fromhex(table.id_key)
        self.open_calls = 0
        self._tokens = {token.sha256: token for token in table.tokens}
        self._callers: dict[bytes, ApplicationToken] = {}

    def model(self, name: str) -> RoutedModel:
        """Return a model.

        Raises:
            NotFoundError: there is none of that name.
        """
        model = self.models.get(name)
        if model is None:
            raise NotFoundError("model", name)
        return model

    def authorize(self, authorization: bytes, model: str) -> None:
        """Let a caller through who may call this model.

        Raises:
            UnauthenticatedError: no token, or one that nobody knows.
            NotFoundError: no such model.
            ForbiddenError: the token is not for this model.
        """
        caller = self._callers.get(authorization) or self._caller(authorization)
        if model not in caller.models:
            self.model(model)
            raise ForbiddenError(
                f"The token {caller.name!r} is not for model {model!r}: ask for one that is.",
                reason="forbidden",
            )
        self.model(model)

    def authenticate(self, authorization: bytes) -> ApplicationToken:
        """Return the application whose token this is; UnauthenticatedError if there is none."""
        return self._callers.get(authorization) or self._caller(authorization)

    def _caller(self, authorization: bytes) -> ApplicationToken:
        scheme, _, token = authorization.strip().partition(b" ")
        if scheme.lower() != b"bearer" or not token:
            raise UnauthenticatedError(
                "Send the application's token: Authorization: Bearer <token>.",
                reason="unauthenticated",
            )
        caller = self._tokens.get(hashlib.sha256(token.strip()).hexdigest())
        if caller is None:
            raise UnauthenticatedError(
                "Nobody knows this token: ask an operator for one.", reason="unauthenticated"
            )
        self._callers[authorization] = caller
        return caller


class Pools:
    """The pools of all deployed versions: also challengers are connected to beforehand."""

    def __init__(
        self,
        settings: GatewaySettings,
        scorer_uid: int,
        *,
        on_scored: Callable[[list[Ticket]], None],
        on_failed: Callable[[Ticket, TiltyardError], None],
    ) -> None:
        self._settings = settings
        self._scorer_uid = scorer_uid
        self._on_scored = on_scored
        self._on_failed = on_failed
        self._pools: dict[tuple[str, str], Pool] = {}

    def get(self, model: ModelRoute, version: VersionRoute) -> Pool:
        """Return the version's pool; a new one begins to connect."""
        key = _key(model, version)
        if key not in self._pools:
            self._pools[key] = self._make(model, version)
        return self._pools[key]

    def keep_only(self, tables: list[RouteTable]) -> None:
        """Close the pools of versions that none of these tables names."""
        kept = {_key(m, v) for table in tables for m in table.models for v in _versions(m)}
        for key in set(self._pools) - kept:
            self._pools.pop(key).close()

    def rows_waiting(self) -> int:
        """Rows that wait for scorers, over all models."""
        return sum(pool.rows_waiting for pool in self._pools.values())

    def all(self) -> list[Pool]:
        """Return all pools."""
        return list(self._pools.values())

    def _make(self, model: ModelRoute, version: VersionRoute) -> Pool:
        return Pool(
            f"{model.name} version {version.version}",
            version.endpoints,
            version.signature,
            self._settings.max_batch_rows,
            self._scorer_uid,
            on_scored=self._on_scored,
            on_failed=self._on_failed,
        )


def compile_routes(table: RouteTable, before: Routes | None, pools: Pools, max_rows: int) -> Routes:
    """Compile a table; what did not change is taken from the one before."""
    old = before.models if before else {}
    models = {}
    for route in table.models:
        for version in _versions(route):
            pools.get(route, version)
        same = old.get(route.name)
        if same is not None and same.route == route:
            models[route.name] = same
        else:
            pool = pools.get(route, route.champion) if route.champion else None
            models[route.name] = RoutedModel(route, pool, max_rows)
    return Routes(table, models)


def class_name(label: Label) -> str:
    """Return a class as the key of a JSON object."""
    if isinstance(label, bool):
        return "true" if label else "false"
    return str(label)


def _versions(route: ModelRoute) -> list[VersionRoute]:
    return [*([route.champion] if route.champion else []), *route.challengers]


def _key(model: ModelRoute, version: VersionRoute) -> tuple[str, str]:
    return model.name, version.model_dump_json()
