"""One SQL database: its engine, its reading and its writing transactions."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from tiltyard.errors import InvalidInputError, UnavailableError
from tiltyard.registry.tables import counters

BUSY_S = 20.0
"""How long a transaction waits for another's on SQLite."""
WRITE = "tiltyard_write"
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")


class Database:
    """Transactions for all threads of a process; other processes may open it too.

    Writing transactions are serial: SQLite begins them IMMEDIATE, and on both databases they
    first lock the counter of routes. So what one reads in it still holds when it commits.
    """

    def __init__(self, url: str) -> None:
        self.engine = make_engine(url)

    @property
    def url(self) -> str:
        """The URL without its password."""
        return self.engine.url.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that sees one state of the database."""
        with self._begun(write=False) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open the one writing transaction; it commits at the end, or not at all."""
        with self._begun(write=True) as connection:
            connection.execute(select(counters.c.value).with_for_update()).all()
            yield connection

    @contextmanager
    def exclusive(self) -> Iterator[Connection]:
        """Open a writing transaction before there are tables."""
        with self._begun(write=True) as connection:
            yield connection

    @contextmanager
    def _begun(self, *, write: bool) -> Iterator[Connection]:
        try:
            with self.engine.connect() as connection:
                connection.execution_options(**{WRITE: write})
                with connection.begin():
                    yield connection
        except OperationalError as error:
            raise UnavailableError(
                f"The registry at {self.url} does not answer now ({error.orig}); try again."
            ) from error

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def next_route(connection: Connection) -> int:
    """Take the next route number; every change of the route table does."""
    route = counters.c.name == "route"
    connection.execute(update(counters).where(route).values(value=counters.c.value + 1))
    return int(connection.execute(select(counters.c.value).where(route)).scalar_one())


def make_engine(url: str) -> Engine:
    """Return an engine whose SQLite connections are durable and keep foreign keys.

    Raises:
        InvalidInputError: the URL cannot be read.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise InvalidInputError(
            "registry.url must be an SQLAlchemy URL, such as sqlite:////path/registry.db."
        ) from None
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True)
    engine = create_engine(parsed, connect_args={"timeout": BUSY_S}, max_overflow=50)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # The driver begins no transactions of its own: _begin_sqlite does, and says which kind.
    connection.isolation_level = None
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get(WRITE)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
