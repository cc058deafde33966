"""How rows become documents, and how the parts of the registry find each other's."""

import json

from sqlalchemy import Connection, RowMapping, Select, select

from tiltyard.errors import NotFoundError
from tiltyard.registry.clock import instant
from tiltyard.registry.tables import champions, deployments, models, versions
from tiltyard.types.registry import (
    Deployment,
    DeploymentState,
    Model,
    Size,
    Thresholds,
    Version,
    VersionManifest,
)
from tiltyard.types.schema import CallSchema, Task


def select_models() -> Select[tuple[object, ...]]:
    """Return the query of all models with their champions, by name."""
    champion = champions.c.version.label("champion")
    joined = models.outerjoin(champions, champions.c.model == models.c.name)
    return select(models, champion).select_from(joined).order_by(models.c.name)


def find_model(connection: Connection, name: str) -> Model:
    """Return a model.

    Raises:
        NotFoundError: listing the models there are.
    """
    row = connection.execute(select_models().where(models.c.name == name)).mappings().first()
    if row is None:
        known = connection.execute(select(models.c.name).order_by(models.c.name)).scalars().all()
        raise NotFoundError("model", name, known)
    return to_model(row)


def find_version(connection: Connection, model: str, version: int) -> Version:
    """Return a version of a model.

    Raises:
        NotFoundError: there is no such model, or no such version of it.
    """
    query = select(versions).where(versions.c.model == model, versions.c.version == version)
    row = connection.execute(query).mappings().first()
    if row is None:
        find_model(connection, model)
        raise NotFoundError("version", f"{model} {version}")
    return to_version(row)


def find_deployments(connection: Connection, model: str, version: int) -> list[Deployment]:
    """Return all deployments of a version, the newest first."""
    query = (
        select(deployments)
        .where(deployments.c.model == model, deployments.c.version == version)
        .order_by(deployments.c.number.desc())
    )
    return [to_deployment(row) for row in connection.execute(query).mappings()]


def is_healthy(connection: Connection, model: str, version: int) -> bool:
    """Return whether a version has a healthy deployment."""
    found = find_deployments(connection, model, version)
    return any(d.state is DeploymentState.HEALTHY for d in found)


def to_model(row: RowMapping) -> Model:
    """Return a model of its row."""
    return Model(
        name=row["name"],
        number=row["number"],
        task=Task(row["task"]),
        owner_group=row["owner_group"],
        call_schema=CallSchema.model_validate_json(row["call_schema"]),
        thresholds=Thresholds.model_validate_json(row["thresholds"]),
        champion=row["champion"],
        description=row["description"],
        created_at=instant(row["created_at"]),
        created_by=row["created_by"],
    )


def to_version(row: RowMapping) -> Version:
    """Return a version of its row."""
    return Version(
        model=row["model"],
        version=row["version"],
        digest=row["digest"],
        manifest=VersionManifest.model_validate_json(row["manifest"]),
        run=row["run"],
        retired=row["retired"],
        created_at=instant(row["created_at"]),
        created_by=row["created_by"],
    )


def to_deployment(row: RowMapping) -> Deployment:
    """Return a deployment of its row."""
    return Deployment(
        id=row["id"],
        model=row["model"],
        version=row["version"],
        runtime=row["runtime"],
        replicas=row["replicas"],
        engine=row["engine"],
        state=DeploymentState(row["state"]),
        endpoints=tuple(json.loads(row["endpoints"])),
        size=Size(row["size"]),
        reason=row["reason"],
        created_at=instant(row["created_at"]),
        created_by=row["created_by"],
    )
