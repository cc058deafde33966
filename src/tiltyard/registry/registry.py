"""The registry: opened once in a process, it hands out its collaborators."""

from types import TracebackType
from typing import Self

from tiltyard.registry.champions import Champions
from tiltyard.registry.database import Database
from tiltyard.registry.deployments import Deployments
from tiltyard.registry.events import Events
from tiltyard.registry.gateways import Gateways
from tiltyard.registry.models import Models
from tiltyard.registry.routes import Routes
from tiltyard.registry.runs import Runs
from tiltyard.registry.schema import ensure_schema
from tiltyard.registry.tokens import Tokens
from tiltyard.registry.versions import Versions


class Registry:
    """All that control remembers; each part is its own small door. Safe for threads."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.models = Models(database)
        self.versions = Versions(database)
        self.champions = Champions(database)
        self.routes = Routes(database)
        self.gateways = Gateways(database)
        self.deployments = Deployments(database)
        self.runs = Runs(database)
        self.tokens = Tokens(database)
        self.events = Events(database)

    def close(self) -> None:
        """Close all connections."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_registry(url: str, *, migrate: bool = False) -> Registry:
    """Open the registry behind an SQLAlchemy URL.

    Args:
        url: ``sqlite:////absolute/path`` or a MySQL/MariaDB URL.
        migrate: bring its tables to this Tiltyard's schema first, making them if need be.

    Raises:
        ConflictError: its schema is missing, older (without ``migrate``) or newer.
        UnavailableError: the database does not answer.
    """
    database = Database(url)
    try:
        ensure_schema(database, migrate=migrate)
    except BaseException:
        database.close()
        raise
    return Registry(database)
