"""What is SQLite's own: queries by index, a full disk, uploads that were cut off."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from support.stores import MODEL, append, prediction, take
from tiltyard.errors import UnavailableError
from tiltyard.stores import open_store
from tiltyard.stores.base import BATCH_ROWS, Store, Window
from tiltyard.stores.sqlite.queries import LIVE, LIVE_WITH_ACTUALS, SCORED

BOUNDS = dict.fromkeys(("model", "version", "start", "end", "known_by", "at", "gateway", "seq"), 1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where the store's file is."""
    return tmp_path / "store.db"


@pytest.fixture
def store(file: Path) -> Iterator[Store]:
    """Return a new SQLite store."""
    store = open_store(f"sqlite:///{file}")
    yield store
    store.close()


@pytest.fixture
def connection(store: Store, file: Path) -> Iterator[sqlite3.Connection]:
    """Return a connection that goes past the store."""
    connection = sqlite3.connect(file)
    yield connection
    connection.close()


@pytest.mark.parametrize("query", [SCORED, LIVE, LIVE_WITH_ACTUALS])
def test_windows_are_read_by_index(connection: sqlite3.Connection, query: str) -> None:
    """No table is scanned and nothing is sorted: a query costs what its window holds."""
    rows = connection.execute(f"EXPLAIN QUERY PLAN {query}", {**BOUNDS, "limit": 1}).fetchall()
    steps = [row[3] for row in rows]
    assert any("at>" in step or "(at,gateway,seq)>" in step for step in steps)
    assert not [s for s in steps if s.startswith("SCAN") or "TEMP B-TREE" in s]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT gateway FROM chunk WHERE model = 1 AND mark > summarised ORDER BY gateway, chunk",
        "SELECT bucket FROM minute WHERE model = 1 AND version = 1 AND bucket > 1 ORDER BY bucket",
        "SELECT record FROM prediction WHERE model = 1 AND gateway = 1 AND seq > 1 ORDER BY seq",
        "DELETE FROM minute WHERE model = 1 AND gateway = 1 AND chunk = 1",
    ],
)
def test_the_tables_have_the_indexes_that_reading_needs(
    connection: sqlite3.Connection, query: str
) -> None:
    """Dirty chunks, minutes of a range, the log after a cursor, minutes of a chunk."""
    steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")]
    assert steps
    assert not [s for s in steps if s.startswith("SCAN") and "chunk_dirty" not in s]
    assert not [s for s in steps if "TEMP B-TREE" in s]


def test_commits_are_on_disk_when_they_return(store: Store, file: Path) -> None:
    """Write-ahead log, synced at every commit."""
    with store._db.read() as inside:  # type: ignore[attr-defined]  # noqa: SLF001  no other way to see
        assert inside.execute("PRAGMA synchronous").fetchone() == (2,)
        assert inside.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_full_disk_is_said_and_nothing_is_kept_by_half(store: Store, file: Path) -> None:
    """The whole batch is refused; there is room again, it is kept."""
    lease = take(store, "relay:1")
    records = [prediction(seq, row={"text": "x" * 500}) for seq in range(2000)]
    with store._db.write() as inside:  # type: ignore[attr-defined]  # noqa: SLF001  stands for a small disk
        (pages,) = inside.execute("PRAGMA page_count").fetchone()
        inside.execute(f"PRAGMA max_page_count={pages + 20}")
    with pytest.raises(UnavailableError, match="make room on its disk"):
        store.append(lease, 1, records)
    assert store.watermarks() == {}
    with store._db.write() as inside:  # type: ignore[attr-defined]  # noqa: SLF001  the same
        inside.execute("PRAGMA max_page_count=1000000")
    assert store.append(lease, 1, records) == 2000


def test_what_a_killed_upload_left_is_removed_a_day_later(
    store: Store, connection: sqlite3.Connection
) -> None:
    """Batches that no snapshot refers to go with a later upload, not those of one under way."""
    rows = [pa.record_batch({"n": pa.array(range(BATCH_ROWS))})]
    store.put_history(MODEL, iter(rows), event_time=None, created_by="ada")
    for batch_set, created_at in ((90, 0), (91, 2**40)):
        connection.execute("INSERT INTO batch_set VALUES (?, 0, ?)", (batch_set, created_at))
        connection.execute("INSERT INTO batch VALUES (?, 0, x'00')", (batch_set,))
    connection.commit()
    store.put_history(MODEL, iter(rows), event_time=None, created_by="ada")
    sets = connection.execute("SELECT DISTINCT batch_set FROM batch ORDER BY 1").fetchall()
    assert sets == [(1,), (91,)]


def test_readers_do_not_wait_for_a_writer(store: Store, connection: sqlite3.Connection) -> None:
    """They see the state before the write that is under way."""
    append(store, prediction(0))
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("DELETE FROM prediction")
    assert len(store.log(MODEL, 1, -1, 10)) == 1
    assert len(store.scored(MODEL, 1, Window())) == 1
    connection.rollback()
