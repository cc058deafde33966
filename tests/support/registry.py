"""Documents and short ways for tests of the registry."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from tiltyard.registry import Registry
from tiltyard.types.registry import Deployment, DeploymentState, VersionManifest
from tiltyard.types.schema import (
    CallSchema,
    Column,
    ColumnType,
    Output,
    Signature,
    Task,
    UnknownLevel,
)

SOCKETS = Path("/run/tiltyard")
SEASON = Column(
    name="season",
    type=ColumnType.CATEGORY,
    levels=("spring", "summer"),
    unknown=UnknownLevel.MISSING,
)
COLUMNS = (
    Column(name="at", type=ColumnType.DATETIME),
    Column(name="temperature", type=ColumnType.FLOAT64),
    Column(name="humidity", type=ColumnType.FLOAT64, nullable=True),
    Column(name="workingday", type=ColumnType.BOOL),
    SEASON,
)
SCHEMA = CallSchema(
    columns=COLUMNS, target="rentals", target_type=ColumnType.INT64, event_time="at"
)


def changed(name: str, **fields: object) -> CallSchema:
    """The schema with one column changed."""
    columns = [c.model_copy(update=fields) if c.name == name else c for c in COLUMNS]
    return SCHEMA.model_copy(update={"columns": tuple(columns)})


def manifest(model: str = "bikeshare", *inputs: Column) -> VersionManifest:
    """What a version's folder says, by default with two of the columns as inputs."""
    return VersionManifest(
        model=model,
        task=Task.REGRESSION,
        language="python",
        engine="sklearn",
        signature=Signature(
            inputs=inputs or COLUMNS[1:3], output=Output(name="rentals", type=ColumnType.FLOAT64)
        ),
        metrics={"rmse": 41.5},
        files={"model.joblib": "0" * 64},
        created_at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    )


def add_model(registry: Registry, name: str = "bikeshare") -> None:
    """Make a regression."""
    registry.models.create(name, Task.REGRESSION, SCHEMA, "rental", "ada")


def add_version(registry: Registry, name: str = "bikeshare") -> int:
    """Log another version."""
    count = len(registry.versions.list(name))
    digest = hashlib.sha256(f"{name} {count}".encode()).hexdigest()
    return registry.versions.add(name, digest, manifest(name), None, "ada").version


def deploy(registry: Registry, version: int, name: str = "bikeshare") -> Deployment:
    """Deploy a version, as healthy."""
    made = registry.deployments.create(name, version, "process", 1, "sklearn", SOCKETS, "ada")
    return registry.deployments.set_state(made.id, DeploymentState.HEALTHY)


def add_deployed(registry: Registry, count: int, name: str = "bikeshare") -> None:
    """Make a model with versions 1 to ``count``, all healthy."""
    add_model(registry, name)
    for _ in range(count):
        deploy(registry, add_version(registry, name), name)
