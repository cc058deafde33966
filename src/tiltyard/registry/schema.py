"""Whether the database's schema is this Tiltyard's, and how it becomes so."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from tiltyard.errors import ConflictError
from tiltyard.registry.database import Database

MIGRATIONS = Path(__file__).parent / "migrations"


def ensure_schema(database: Database, *, migrate: bool) -> None:
    """Check the schema; with ``migrate`` bring it to the newest.

    Raises:
        ConflictError: it is missing or older (without ``migrate``), or newer.
    """
    if migrate:
        _make_folder(database)
    elif _absent(database):
        raise _not_set_up(database)
    newest = _scripts().get_current_head()
    current = _revision(database)
    if current == newest:
        return
    if current is not None and current not in _known():
        raise ConflictError(
            f"The registry at {database.url} has schema {current}, which is newer than this "
            f"Tiltyard's {newest}: install the Tiltyard that made it, then run `tiltyard init`."
        )
    if not migrate:
        raise _not_set_up(database)
    _upgrade(database)


def _not_set_up(database: Database) -> ConflictError:
    return ConflictError(
        f"The registry at {database.url} is not set up for this Tiltyard: run `tiltyard init`."
    )


def _upgrade(database: Database) -> None:
    with database.exclusive() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _revision(database: Database) -> str | None:
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    # A percent sign in the path would be taken for an interpolation.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _known() -> set[str]:
    return {script.revision for script in _scripts().walk_revisions()}


def _file(database: Database) -> Path | None:
    url = database.engine.url
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def _absent(database: Database) -> bool:
    # Asked before connecting, which would leave an empty file behind.
    file = _file(database)
    return file is not None and not file.exists()


def _make_folder(database: Database) -> None:
    file = _file(database)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
