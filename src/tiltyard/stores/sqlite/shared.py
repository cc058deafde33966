"""What the parts of the SQLite store share."""

import sqlite3
from pathlib import Path

from tiltyard.errors import InvalidInputError, StaleLeaseError
from tiltyard.stores.base import Lease, Store
from tiltyard.stores.sqlite.database import Database
from tiltyard.stores.sqlite.schema import migrate

PREFIX = "sqlite:///"


class SqlitePart(Store):
    """The part that holds the database; each other part adds the methods of one subject."""

    def __init__(self, url: str) -> None:
        path = url.removeprefix(PREFIX)
        if not url.startswith(PREFIX) or not path:
            raise InvalidInputError(
                f"{url!r} names no file: write sqlite:///relative.db or sqlite:////absolute.db.",
                url=url,
            )
        self._db = Database(Path(path).absolute())
        migrate(self._db)

    def close(self) -> None:
        """Close all connections."""
        self._db.close()


def model_id(connection: sqlite3.Connection, name: str) -> int:
    """Return the number that stands for a model in this file, giving it one if need be."""
    connection.execute("INSERT INTO model (name) VALUES (?) ON CONFLICT DO NOTHING", (name,))
    return known_model(connection, name)


def known_model(connection: sqlite3.Connection, name: str) -> int:
    """Return the number that stands for a model, or 0, which no row has."""
    row = connection.execute("SELECT id FROM model WHERE name = ?", (name,)).fetchone()
    return int(row[0]) if row else 0


def check_lease(connection: sqlite3.Connection, lease: Lease, task: str) -> None:
    """Make sure that a write is made under its task's current lease.

    Raises:
        InvalidInputError: the lease is of another task.
        StaleLeaseError: somebody took the task over.
    """
    if lease.task != task:
        raise InvalidInputError(f"This write needs the lease of {task!r}, not of {lease.task!r}.")
    row = connection.execute("SELECT fence FROM lease WHERE task = ?", (task,)).fetchone()
    if row is None or row[0] != lease.fence:
        raise StaleLeaseError(task, lease.holder)
