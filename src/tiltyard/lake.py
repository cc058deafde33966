"""The data lake: a company's SQL database, read by SQL; embedded, a SQLite file.

Reading never writes: SQLite files are opened read-only, other databases by an account that may
only read, and nothing but one SELECT is sent.
"""

import re
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from tiltyard.errors import InvalidInputError, MissingExtraError, NotFoundError, TiltyardError
from tiltyard.settings import load_settings

try:
    import sqlalchemy as sa
except ImportError:
    raise MissingExtraError("SQLAlchemy", "lake") from None

_QUOTED_OR_COMMENT = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | `[^`]*` | --[^\n]* | /\*.*?\*/""", re.VERBOSE | re.DOTALL
)
_TABLE = re.compile(r"[A-Za-z_]\w{0,62}")
_LOADING = "tiltyard_loading"


class NoLakeError(NotFoundError):
    """There is no lake to read yet."""

    def __init__(self, path: Path) -> None:
        TiltyardError.__init__(
            self,
            f"There is no data lake at {path}: run `tiltyard lake load` to make the embedded one, "
            "or set lake.url.",
            path=str(path),
        )


def read_lake(
    sql: str, params: Mapping[str, Any] | None = None, *, url: str | None = None
) -> pd.DataFrame:
    """Return the rows of one SELECT.

    Args:
        sql: one statement that begins with SELECT or WITH; ``:name`` stands for a parameter.
        params: values by name; a list stands for ``IN :name``.
        url: SQLAlchemy URL of another lake than the settings'.

    Returns:
        Columns typed as the database has them; integers with missing values are floats.

    Raises:
        InvalidInputError: the SQL is no single SELECT, or the database refuses it.
        NoLakeError: there is no lake.
    """
    statement = _statement(sql, params)
    engine = _reader(url or load_settings().lake_url)
    try:
        with engine.connect() as connection:
            return pd.read_sql_query(statement, connection, params=dict(params or {}))
    except (sa.exc.SQLAlchemyError, pd.errors.DatabaseError) as error:
        raise InvalidInputError(f"The data lake refuses the query: {_words(error)}.") from None
    finally:
        engine.dispose()


def load_csv(url: str, table: str, path: Path) -> int:
    """Make or replace a table of the embedded lake by a CSV file (gzipped or not).

    Readers see the old table or the new one, nothing between. Columns are INTEGER, FLOAT or
    TEXT, as the file's values are.

    Returns:
        The number of rows.

    Raises:
        InvalidInputError: the lake is no SQLite file, the table's name cannot be used, or the
            file is no CSV.
        NotFoundError: there is no such file.
    """
    if not _TABLE.fullmatch(table) or table.startswith(("sqlite_", _LOADING)):
        raise InvalidInputError(f"{table!r} cannot name a table: use letters, digits and _.")
    if not path.is_file():
        raise NotFoundError("file", path)
    lake = _sqlite_path(url)
    if lake is None:
        raise InvalidInputError("CSV files are loaded into the embedded SQLite lake only.")
    frame = _csv(path)
    lake.parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(f"sqlite:///{lake}")
    try:
        _replace(engine, table, frame)
    finally:
        engine.dispose()
    return len(frame)


def load_folder(url: str, folder: Path) -> dict[str, int]:
    """Load each ``<table>.csv`` or ``<table>.csv.gz`` of a folder; return rows by table."""
    files = sorted([*folder.glob("*.csv"), *folder.glob("*.csv.gz")])
    if not files:
        raise NotFoundError("CSV file in", folder)
    return {name: load_csv(url, name, file) for file in files for name in [file.name.split(".")[0]]}


def _statement(sql: str, params: Mapping[str, Any] | None) -> sa.TextClause:
    bare = _QUOTED_OR_COMMENT.sub(" ", sql).strip()
    word = bare.split(maxsplit=1)[0].upper() if bare else ""
    if word not in {"SELECT", "WITH"}:
        raise InvalidInputError(
            f"The data lake is read-only: begin with SELECT or WITH, not {word or 'nothing'!r}."
        )
    if ";" in bare.rstrip("; \t\r\n"):
        raise InvalidInputError("Give one statement, without a semicolon inside.")
    if not params:
        # Without parameters a colon is only a colon.
        return sa.text(re.sub(r"(?<!\\):(?=\w)", r"\\:", sql))
    return _bound(sql, params)


def _bound(sql: str, params: Mapping[str, Any]) -> sa.TextClause:
    statement = sa.text(sql)
    named = set(statement.compile().params)
    if named != set(params):
        raise InvalidInputError(
            f"The SQL names {_listing(named)} and params gives {_listing(set(params))}."
        )
    lists = (name for name, value in params.items() if isinstance(value, list | tuple))
    return statement.bindparams(*(sa.bindparam(name, expanding=True) for name in lists))


def _listing(names: set[str]) -> str:
    return ", ".join(f":{name}" for name in sorted(names)) or "no parameter"


def _reader(url: str) -> sa.Engine:
    path = _sqlite_path(url)
    if path is None:
        return sa.create_engine(url)
    if not path.is_file():
        raise NoLakeError(path)
    where = f"file:{quote(str(path.absolute()))}?mode=ro"
    return sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(where, uri=True))


def _sqlite_path(url: str) -> Path | None:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise InvalidInputError(f"lake.url {url!r} is no SQLAlchemy URL.") from None
    if parsed.get_backend_name() != "sqlite":
        return None
    return Path(parsed.database or "")


def _replace(engine: sa.Engine, table: str, frame: pd.DataFrame) -> None:
    """Fill a table beside, then swap names in one transaction."""
    beside = f"{_LOADING}_{table}"
    frame.to_sql(beside, engine, if_exists="replace", index=False, chunksize=10_000)
    connection = engine.raw_connection()
    try:
        # sqlite3 begins no transaction for DDL by itself.
        connection.cursor().execute("BEGIN IMMEDIATE")
        connection.cursor().execute(f'DROP TABLE IF EXISTS "{table}"')
        connection.cursor().execute(f'ALTER TABLE "{beside}" RENAME TO "{table}"')
        connection.commit()
    finally:
        connection.close()


def _csv(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path)
    except (ValueError, EOFError, OSError) as error:
        raise InvalidInputError(f"{path} cannot be read as CSV: {error}.") from None


def _words(error: Exception) -> str:
    original = getattr(error, "orig", None)
    return str(original or error).splitlines()[0].rstrip(".")
