"""Tables of the SQLite store and their migrations.

``at`` is a row's bucket time: its event time, else its arrival; all times are microseconds.
Tables of small rows are WITHOUT ROWID: clustered by their key.
"""

from tiltyard.errors import IntegrityError
from tiltyard.stores.sqlite.database import Database

_FIRST = (
    # Counters move with the rows that they count, so that nobody has to count the rows.
    """CREATE TABLE model (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
        predictions INTEGER NOT NULL DEFAULT 0,
        with_actual INTEGER NOT NULL DEFAULT 0,
        unknown_actuals INTEGER NOT NULL DEFAULT 0) STRICT""",
    # Frames, as batches in order. A set is ready when something refers to it.
    """CREATE TABLE batch_set (
        id INTEGER PRIMARY KEY, ready INTEGER NOT NULL, created_at INTEGER NOT NULL) STRICT""",
    """CREATE TABLE batch (
        batch_set INTEGER NOT NULL, number INTEGER NOT NULL, payload BLOB NOT NULL,
        UNIQUE (batch_set, number)) STRICT""",
    # ``latest`` orders the snapshots that were the model's latest; 0: it never was.
    """CREATE TABLE history (
        model INTEGER NOT NULL, digest TEXT NOT NULL, row_count INTEGER NOT NULL,
        columns TEXT NOT NULL, event_start INTEGER, event_end INTEGER,
        created_at INTEGER NOT NULL, created_by TEXT NOT NULL,
        latest INTEGER NOT NULL, batch_set INTEGER NOT NULL,
        PRIMARY KEY (model, digest)) STRICT""",
    """CREATE TABLE history_prediction (
        model INTEGER NOT NULL, version INTEGER NOT NULL, digest TEXT NOT NULL,
        batch_set INTEGER NOT NULL, PRIMARY KEY (model, version)) STRICT""",
    # The live log. A gateway's seq implies the model, so (gateway, seq) stays the key.
    """CREATE TABLE gateway (number INTEGER PRIMARY KEY, watermark INTEGER NOT NULL) STRICT""",
    """CREATE TABLE prediction (
        model INTEGER NOT NULL, gateway INTEGER NOT NULL, seq INTEGER NOT NULL,
        chunk INTEGER NOT NULL, at INTEGER NOT NULL, received_at INTEGER NOT NULL,
        version INTEGER NOT NULL, record BLOB NOT NULL,
        UNIQUE (model, gateway, seq)) STRICT""",
    "CREATE INDEX prediction_at ON prediction (model, at, gateway, seq)",
    "CREATE INDEX prediction_version_at ON prediction (model, version, at, gateway, seq)",
    # Chunks of the log. ``mark`` counts changes, ``summarised`` is the mark last summarised.
    """CREATE TABLE chunk (
        model INTEGER NOT NULL, gateway INTEGER NOT NULL, chunk INTEGER NOT NULL,
        first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, max_at INTEGER NOT NULL,
        mark INTEGER NOT NULL DEFAULT 1, summarised INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (model, gateway, chunk)) STRICT, WITHOUT ROWID""",
    "CREATE INDEX chunk_dirty ON chunk (model, gateway, chunk, mark) WHERE mark > summarised",
    # The last row of an id in key order is the actual that counts.
    """CREATE TABLE actual (
        model INTEGER NOT NULL, of_gateway INTEGER NOT NULL, of_seq INTEGER NOT NULL,
        known_at INTEGER NOT NULL, received_at INTEGER NOT NULL,
        gateway INTEGER NOT NULL, seq INTEGER NOT NULL, record BLOB NOT NULL,
        PRIMARY KEY (model, of_gateway, of_seq, known_at, received_at, gateway, seq)
        ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE follower (
        model INTEGER NOT NULL, version INTEGER NOT NULL,
        PRIMARY KEY (model, version)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE cursor (
        model INTEGER NOT NULL, version INTEGER NOT NULL, gateway INTEGER NOT NULL,
        seq INTEGER NOT NULL, PRIMARY KEY (model, version, gateway)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE score (
        model INTEGER NOT NULL, gateway INTEGER NOT NULL, seq INTEGER NOT NULL,
        version INTEGER NOT NULL, at INTEGER NOT NULL, record BLOB NOT NULL,
        PRIMARY KEY (model, gateway, seq, version)) STRICT, WITHOUT ROWID""",
    "CREATE INDEX score_at ON score (model, version, at, gateway, seq)",
    """CREATE TABLE minute (
        model INTEGER NOT NULL, version INTEGER NOT NULL, bucket INTEGER NOT NULL,
        gateway INTEGER NOT NULL, chunk INTEGER NOT NULL, payload BLOB NOT NULL,
        UNIQUE (model, version, bucket, gateway, chunk)) STRICT""",
    "CREATE INDEX minute_chunk ON minute (model, gateway, chunk)",
    """CREATE TABLE rollup (
        model INTEGER NOT NULL, version INTEGER NOT NULL, granularity TEXT NOT NULL,
        bucket INTEGER NOT NULL, payload BLOB NOT NULL,
        UNIQUE (model, version, granularity, bucket)) STRICT""",
    # The row outlives the lease, so that the fence only grows. Times are in seconds.
    """CREATE TABLE lease (
        task TEXT PRIMARY KEY, holder TEXT NOT NULL, fence INTEGER NOT NULL,
        expires_at REAL NOT NULL) STRICT, WITHOUT ROWID""",
)

MIGRATIONS = (_FIRST,)
"""Statements that lead from each version of the schema to the next, beginning with none."""


def migrate(database: Database) -> None:
    """Bring the tables to this program's version; processes that start together take turns.

    Raises:
        IntegrityError: a newer Tiltyard has made them.
    """
    database.prepare()
    with database.write() as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise IntegrityError(
                f"The store {database.path} has schema version {version}; this Tiltyard knows "
                f"{len(MIGRATIONS)}: install the newer Tiltyard that wrote it."
            )
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version={len(MIGRATIONS)}")
