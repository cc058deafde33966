"""Leases: one holder a task, a fence that grows each time the task changes hands."""

import sqlite3
import time

from tiltyard.stores.base import Lease
from tiltyard.stores.sqlite.shared import SqlitePart


class Leases(SqlitePart):
    """Who may do a task. Expiry goes by the machine's clock, correctness by the fence alone."""

    def acquire(self, task: str, holder: str, seconds: float) -> Lease | None:
        """Take or renew a lease; None while another holds it.

        A holder's name must be its process's own: who calls with the same name renews.
        """
        now = time.time()
        with self._db.write() as connection:
            held, fence, expires_at = _row(connection, task)
            if now < expires_at and held != holder:
                return None
            fence += now >= expires_at
            connection.execute(
                "INSERT OR REPLACE INTO lease VALUES (?, ?, ?, ?)",
                (task, holder, fence, now + seconds),
            )
        return Lease(task, holder, fence)

    def release(self, lease: Lease) -> None:
        """Give a lease back, unless it is another's by now."""
        with self._db.write() as connection:
            connection.execute(
                "UPDATE lease SET expires_at = 0 WHERE task = ? AND fence = ?",
                (lease.task, lease.fence),
            )


def end_lease(connection: sqlite3.Connection, task: str) -> None:
    """End a task's lease whoever holds it; writes under it lose from now on."""
    _, fence, _ = _row(connection, task)
    connection.execute("INSERT OR REPLACE INTO lease VALUES (?, '', ?, 0)", (task, fence + 1))


def _row(connection: sqlite3.Connection, task: str) -> tuple[str, int, float]:
    row = connection.execute(
        "SELECT holder, fence, expires_at FROM lease WHERE task = ?", (task,)
    ).fetchone()
    return row or ("", 0, 0.0)
