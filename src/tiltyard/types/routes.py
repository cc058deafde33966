"""The route table that control publishes and gateways and workers follow."""

from datetime import datetime

from tiltyard.types.base import Document
from tiltyard.types.registry import LedgerHead
from tiltyard.types.schema import CallSchema, ModelName, Signature, Task


class VersionRoute(Document):
    """A version and where its scorers listen.

    Attributes:
        endpoints: ``unix:/path`` or ``tcp:host:port``, one a replica.
    """

    version: int
    deployment: str
    signature: Signature
    endpoints: tuple[str, ...]


class ModelRoute(Document):
    """How calls of one model are answered; no champion means 409, no endpoint 503."""

    name: ModelName
    number: int
    task: Task
    call_schema: CallSchema
    champion: VersionRoute | None = None
    challengers: tuple[VersionRoute, ...] = ()
    ledger: LedgerHead = LedgerHead()


class ApplicationToken(Document):
    """SHA-256 (hex) of an application's token, and the models it may call."""

    sha256: str
    name: str
    models: tuple[str, ...]


class RouteTable(Document):
    """All routes as of ``number``; ``id_key`` (hex) authenticates prediction ids."""

    number: int
    models: tuple[ModelRoute, ...] = ()
    tokens: tuple[ApplicationToken, ...] = ()
    id_key: str

    def model(self, name: str) -> ModelRoute | None:
        """Return the route of a model, if there is one."""
        return next((m for m in self.models if m.name == name), None)


class GatewayInfo(Document):
    """A registered gateway; ``number`` is the first half of its records' keys."""

    name: str
    number: int
    url: str
    spool: str
    confirmed_route: int = 0
    seen_at: datetime
