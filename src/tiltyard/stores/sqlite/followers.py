"""Followers: what other versions made of the logged rows, and how far they have come."""

from collections.abc import Iterable, Mapping, Sequence
from sqlite3 import Connection

from tiltyard.stores.base import Lease, follow_task
from tiltyard.stores.records import encode_score
from tiltyard.stores.sqlite.leases import end_lease
from tiltyard.stores.sqlite.shared import SqlitePart, check_lease, known_model, model_id
from tiltyard.types.records import Score


class Followers(SqlitePart):
    """Scores and cursors; both move in one transaction."""

    def cursor(self, model: str, version: int) -> dict[int, int] | None:
        """Return {gateway: seq} up to which the version has scored; None if it never began."""
        with self._db.read() as connection:
            key = (known_model(connection, model), version)
            began = connection.execute(
                "SELECT 1 FROM follower WHERE model = ? AND version = ?", key
            ).fetchone()
            rows = connection.execute(
                "SELECT gateway, seq FROM cursor WHERE model = ? AND version = ?", key
            ).fetchall()
        return dict(rows) if began else None

    def write_scores(
        self,
        lease: Lease,
        model: str,
        version: int,
        scores: Sequence[Score],
        cursor: Mapping[int, int],
    ) -> None:
        """Keep scores and move the cursor, in one transaction.

        The first score of a row counts. A score is dropped when the row is not in the log or
        the version answered it itself.
        """
        with self._db.write() as connection:
            check_lease(connection, lease, follow_task(model, version))
            number = model_id(connection, model)
            _mark_chunks(connection, number, _insert(connection, number, version, scores))
            _move(connection, number, version, cursor)

    def set_cursor(self, model: str, version: int, cursor: Mapping[int, int]) -> None:
        """Place a follower's cursor anew and end the lease of who follows."""
        with self._db.write() as connection:
            end_lease(connection, follow_task(model, version))
            number = model_id(connection, model)
            connection.execute(
                "DELETE FROM cursor WHERE model = ? AND version = ?", (number, version)
            )
            _move(connection, number, version, cursor)


def _insert(
    connection: Connection, model: int, version: int, scores: Iterable[Score]
) -> set[tuple[int, int]]:
    """Keep the scores; return (gateway, chunk) of those that are new."""
    touched = set()
    for score in scores:
        row = connection.execute(
            """SELECT chunk, at FROM prediction
            WHERE model = ? AND gateway = ? AND seq = ? AND version <> ?""",
            (model, score.gateway, score.seq, version),
        ).fetchone()
        if row is None:
            continue
        cursor = connection.execute(
            "INSERT INTO score VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (model, score.gateway, score.seq, version, row[1], encode_score(score)),
        )
        if cursor.rowcount:
            touched.add((score.gateway, row[0]))
    return touched


def _mark_chunks(connection: Connection, model: int, chunks: Iterable[tuple[int, int]]) -> None:
    connection.executemany(
        "UPDATE chunk SET mark = mark + 1 WHERE model = ? AND gateway = ? AND chunk = ?",
        ((model, *chunk) for chunk in chunks),
    )


def _move(connection: Connection, model: int, version: int, cursor: Mapping[int, int]) -> None:
    connection.execute(
        "INSERT INTO follower VALUES (?, ?) ON CONFLICT DO NOTHING", (model, version)
    )
    connection.executemany(
        "INSERT OR REPLACE INTO cursor VALUES (?, ?, ?, ?)",
        ((model, version, gateway, seq) for gateway, seq in cursor.items()),
    )
