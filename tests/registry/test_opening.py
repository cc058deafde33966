"""A registry is opened only with the schema that this Tiltyard knows."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateTable

from support.registry import add_deployed
from tiltyard.errors import ConflictError, InvalidInputError, UnavailableError
from tiltyard.registry import Registry, open_registry
from tiltyard.registry.database import Database
from tiltyard.registry.tables import metadata
from tiltyard.types.registry import RunKind, RunRequest


def test_a_missing_registry_names_the_command(tmp_path: Path) -> None:
    """No file is made by asking for one."""
    with pytest.raises(ConflictError, match="tiltyard init"):
        open_registry(f"sqlite:///{tmp_path / 'registry.db'}")
    assert not list(tmp_path.iterdir())


def test_an_empty_database_names_the_command(tmp_path: Path) -> None:
    """A database without tables is not set up."""
    (tmp_path / "registry.db").touch()
    with pytest.raises(ConflictError, match="tiltyard init"):
        open_registry(f"sqlite:///{tmp_path / 'registry.db'}")


def test_a_newer_schema_is_refused(registry: Registry, url: str) -> None:
    """A schema that this Tiltyard does not know is left alone, with ``migrate`` too."""
    with registry.database.exclusive() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for migrate in (False, True):
        with pytest.raises(ConflictError, match="newer"):
            open_registry(url, migrate=migrate)


def test_migrating_again_changes_nothing(registry: Registry, url: str) -> None:
    """All stays, and the key of prediction ids with it."""
    add_deployed(registry, 1)
    before = registry.routes.table()
    with open_registry(url, migrate=True) as again:
        assert again.routes.table() == before


def test_an_older_schema_is_brought_up(registry: Registry, url: str) -> None:
    """Only when asked to; runs from before are there, and have no groups."""
    request = RunRequest(kind=RunKind.TRAIN, pipeline="bikes")
    run = registry.runs.enqueue(request, "ada", ["rentals"])
    with registry.database.exclusive() as connection:
        connection.execute(text("ALTER TABLE runs DROP COLUMN member_of"))
        connection.execute(text("ALTER TABLE deployments DROP COLUMN size"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    with pytest.raises(ConflictError, match="tiltyard init"):
        open_registry(url)
    with open_registry(url, migrate=True) as opened:
        assert opened.runs.get(run.id) == run
        assert opened.runs.groups(run.id) == ()


def test_several_may_migrate_at_once(url: str) -> None:
    """One makes the tables, the others find them made."""

    def migrate(_number: int) -> str:
        with open_registry(url, migrate=True) as opened:
            return opened.routes.table().id_key

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(migrate, range(4)))) == 1


def test_each_registry_has_its_own_key(registry: Registry, tmp_path: Path) -> None:
    """The key of prediction ids is 32 random bytes."""
    key = registry.routes.table().id_key
    assert len(bytes.fromhex(key)) == 32
    with open_registry(f"sqlite:///{tmp_path / 'other.db'}", migrate=True) as other:
        assert other.routes.table().id_key != key


def test_reopening_finds_everything(registry: Registry, url: str) -> None:
    """What was committed is there for the next process."""
    add_deployed(registry, 2)
    registry.champions.promote("bikeshare", 2, None, "first", "ada")
    registry.close()
    with open_registry(url) as again:
        assert again.models.get("bikeshare").champion == 2
        assert again.routes.table() == registry.routes.table()


def test_migrations_make_the_tables_of_the_code(registry: Registry) -> None:
    """The migrations' outcome and the tables that the code uses are the same."""
    with registry.database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_tables_can_be_made_on_mysql() -> None:
    """Every text has a length, every key fits InnoDB's 3072 bytes at 4 a character."""
    for table in metadata.sorted_tables:
        assert "InnoDB" in str(CreateTable(table).compile(dialect=mysql.dialect()))
        keys = [table.primary_key, *table.indexes, *table.constraints]
        for key in keys:
            texts = [getattr(c.type, "length", None) or 2 for c in getattr(key, "columns", [])]
            assert 4 * sum(texts) <= 3072


def test_sqlite_is_durable_and_keeps_foreign_keys(registry: Registry) -> None:
    """Every connection has WAL, full synchronisation and foreign keys."""
    expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 20000}
    with registry.database.read() as connection:
        found = {p: connection.execute(text(f"PRAGMA {p}")).scalar() for p in expected}
    assert found == expected


def test_a_locked_database_is_a_sentence(registry: Registry, url: str) -> None:
    """Whoever waits too long for another's transaction is told to try again."""
    impatient = Database(url)
    impatient.engine = create_engine(url, connect_args={"timeout": 0.01})
    with (
        registry.database.write(),
        pytest.raises(UnavailableError, match="locked"),
        impatient.exclusive() as connection,
    ):
        connection.execute(text("UPDATE counters SET value = 7"))
    impatient.close()
    assert registry.routes.number() == 0


def test_a_url_that_is_none(tmp_path: Path) -> None:
    """A path is no URL; a folder is no database."""
    with pytest.raises(InvalidInputError, match=r"registry\.url"):
        open_registry(str(tmp_path), migrate=True)
    with pytest.raises(UnavailableError, match="does not answer"):
        open_registry(f"sqlite:///{tmp_path}", migrate=True)


def write_half(registry: Registry) -> None:
    """Begin a change and stop."""
    with registry.database.write() as connection:
        connection.execute(text("UPDATE counters SET value = 7"))
        raise RuntimeError("unfinished")


def test_an_error_takes_the_transaction_back(registry: Registry) -> None:
    """What an unfinished transaction wrote, events included, was never there."""
    with pytest.raises(RuntimeError, match="unfinished"):
        write_half(registry)
    assert registry.routes.number() == 0
