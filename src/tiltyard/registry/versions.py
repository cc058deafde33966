"""Versions: numbered artifacts of a model."""

import builtins
import re

from sqlalchemy import Connection, func, insert, select, update

from tiltyard.errors import ConflictError, InvalidInputError
from tiltyard.registry.callschema import check_signature
from tiltyard.registry.clock import now
from tiltyard.registry.database import Database
from tiltyard.registry.deployments import retire_all
from tiltyard.registry.events import record
from tiltyard.registry.reading import find_model, find_version, to_version
from tiltyard.registry.tables import versions
from tiltyard.types.registry import Model, Version, VersionManifest

DIGEST = re.compile("[0-9a-f]{64}")


class Versions:
    """The versions of models, 1, 2, … each; none is ever removed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        model: str,
        digest: str,
        manifest: VersionManifest,
        run: str | None,
        created_by: str,
    ) -> Version:
        """Register a version; one of the same digest is returned as it is.

        Raises:
            NotFoundError: there is no such model.
            InvalidInputError: the manifest is another model's or does not fit its calls.
        """
        if not DIGEST.fullmatch(digest):
            raise InvalidInputError(f"{digest!r} is no SHA-256 in lowercase hex.")
        with self._database.write() as connection:
            owner = find_model(connection, model)
            same = _by_digest(connection, model, digest)
            if same is not None:
                return same
            _check_manifest(manifest, owner)
            number = _next_number(connection, model)
            values = {
                "model": model,
                "version": number,
                "digest": digest,
                "manifest": manifest.model_dump_json(),
                "run": run,
                "retired": False,
                "created_at": now(),
                "created_by": created_by,
            }
            connection.execute(insert(versions).values(values))
            record(connection, "version.logged", model, {"version": number, "run": run})
            return find_version(connection, model, number)

    def get(self, model: str, version: int) -> Version:
        """Return a version.

        Raises:
            NotFoundError: there is no such model, or no such version of it.
        """
        with self._database.read() as connection:
            return find_version(connection, model, version)

    def list(self, model: str) -> builtins.list[Version]:
        """Return a model's versions in order.

        Raises:
            NotFoundError: there is no such model.
        """
        query = select(versions).where(versions.c.model == model).order_by(versions.c.version)
        with self._database.read() as connection:
            find_model(connection, model)
            return [to_version(row) for row in connection.execute(query).mappings()]

    def retire(self, model: str, version: int) -> Version:
        """Retire a version for good, and its deployments with it.

        Raises:
            NotFoundError: there is no such model, or no such version of it.
            ConflictError: it is the champion.
        """
        with self._database.write() as connection:
            found = find_version(connection, model, version)
            if find_model(connection, model).champion == version:
                raise ConflictError(
                    f"{model} version {version} is the champion: promote another one first."
                )
            if found.retired:
                return found
            retire_all(connection, model, version)
            chosen = versions.c.model == model, versions.c.version == version
            connection.execute(update(versions).where(*chosen).values(retired=True))
            record(connection, "version.retired", model, {"version": version})
            return find_version(connection, model, version)


def _by_digest(connection: Connection, model: str, digest: str) -> Version | None:
    query = select(versions).where(versions.c.model == model, versions.c.digest == digest)
    row = connection.execute(query).mappings().first()
    return None if row is None else to_version(row)


def _next_number(connection: Connection, model: str) -> int:
    query = select(func.max(versions.c.version)).where(versions.c.model == model)
    return (connection.execute(query).scalar() or 0) + 1


def _check_manifest(manifest: VersionManifest, model: Model) -> None:
    if (manifest.model, manifest.task) != (model.name, model.task):
        raise InvalidInputError(
            f"The version is of {manifest.model!r}, a {manifest.task}; it cannot be logged "
            f"to {model.name!r}, a {model.task}."
        )
    check_signature(manifest.signature, model.call_schema)
