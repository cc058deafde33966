"""Connections to one SQLite file, shared by threads and processes."""

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tiltyard.errors import IntegrityError, UnavailableError

BUSY_TIMEOUT_S = 30.0
"""How long an operation waits for another process's write."""

HINTS = {
    "SQLITE_FULL": "make room on its disk",
    "SQLITE_BUSY": f"another process has held it for {BUSY_TIMEOUT_S:.0f} s",
    "SQLITE_LOCKED": f"another process has held it for {BUSY_TIMEOUT_S:.0f} s",
    "SQLITE_CANTOPEN": "look whether its folder exists and may be written",
    "SQLITE_READONLY": "give this user the right to write it and its folder",
    "SQLITE_PERM": "give this user the right to write it and its folder",
    "SQLITE_IOERR": "look at its disk and at the system's log",
}
"""What to do about errors that may pass, by primary code."""


class Database:
    """A pool of connections; each operation has one of its own while it lasts.

    Writes wait for the lock before they read, so that what they read still holds when they
    commit; a commit is on disk when it returns (``synchronous=FULL``).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._idle: deque[sqlite3.Connection] = deque()
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Give a connection in a read transaction: one consistent state."""
        with self._borrowed() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.rollback()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Give a connection in a write transaction; it is committed unless something is raised."""
        with self._borrowed() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.rollback()

    def prepare(self) -> None:
        """Make the file, and let readers and one writer work side by side (write-ahead log).

        SQLite does not wait for others that do the same, so this does.
        """
        deadline = time.monotonic() + BUSY_TIMEOUT_S
        with self._borrowed() as connection:
            while not _set_journal(connection, last_try=time.monotonic() > deadline):
                time.sleep(0.05)

    def close(self) -> None:
        """Close all connections; those in use close when they are given back."""
        with self._lock:
            self._closed = True
            while self._idle:
                self._idle.pop().close()

    @contextmanager
    def _borrowed(self) -> Iterator[sqlite3.Connection]:
        with self._errors_in_words():
            connection = self._take()
            try:
                yield connection
            finally:
                self._give_back(connection)

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                raise UnavailableError(f"The store {self.path} has been closed.")
            if self._idle:
                return self._idle.pop()
        return self._connect()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA cache_size=-20000")
        return connection

    @contextmanager
    def _errors_in_words(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            name = getattr(error, "sqlite_errorname", None) or ""
            if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
                raise IntegrityError(
                    f"The store {self.path} is damaged ({error}): restore it from a backup.",
                    path=str(self.path),
                ) from error
            hint = next((h for code, h in HINTS.items() if name.startswith(code)), None)
            if hint is None:
                raise
            raise UnavailableError(
                f"The store {self.path} cannot be used now ({error}): {hint}.",
                path=str(self.path),
            ) from error


def _set_journal(connection: sqlite3.Connection, *, last_try: bool) -> bool:
    """Set the journal's mode; whether it came out, others may just be at it."""
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or last_try:
            raise
        return False
    return True
