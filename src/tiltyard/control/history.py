"""Histories: written, read, and extended by live rows with actuals."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO

import pyarrow as pa

from tiltyard.control.auth import group_for
from tiltyard.control.bodies import read_arrow
from tiltyard.control.call_schemas import first_schema, target_column, wider_schema
from tiltyard.control.frames import Survey, conform, schema_of, survey
from tiltyard.control.parts import Parts
from tiltyard.errors import InvalidInputError, NotFoundError
from tiltyard.registry.clock import microseconds
from tiltyard.stores.base import Window
from tiltyard.types.registry import HistorySnapshot, Model, Principal
from tiltyard.types.schema import CallSchema, Task


@dataclass(frozen=True)
class Told:
    """What a writer says of a history; a new model needs task and target."""

    task: Task | None = None
    target: str | None = None
    event_time: str | None = None
    owner_group: str | None = None


def write(
    parts: Parts, who: Principal, name: str, found: Model | None, told: Told, file: IO[bytes]
) -> HistorySnapshot:
    """Keep an Arrow stream as a model's latest history; makes or widens the model.

    Raises:
        InvalidInputError: what is told or a column cannot be used.
    """
    seen = survey(read_arrow(file))
    if found is None:
        found = _make(parts, who, name, told, seen)
    else:
        _check_same(found, told)
        parts.registry.models.widen(name, wider_schema(seen.columns, found))
        found = parts.registry.models.get(name)
    schema = _schema(found.call_schema, list(seen.columns))
    return parts.store.put_history(
        name,
        conform(read_arrow(file), _plain(schema)),
        event_time=found.call_schema.event_time,
        created_by=who.name,
    )


def snapshot(parts: Parts, model: str, digest: str | None = None) -> HistorySnapshot:
    """Return a snapshot, by default the latest prepared one.

    Raises:
        NotFoundError: there is no such model or snapshot.
    """
    parts.registry.models.get(model)
    found = parts.store.history(model, digest)
    if found is None:
        raise NotFoundError("history of", model if digest is None else f"{model} {digest}")
    return found


def rows(
    parts: Parts, model: Model, digest: str | None, columns: Sequence[str] | None
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Return schema and rows of a snapshot; categories say their levels.

    Raises:
        NotFoundError: there is no such snapshot, or no such column in it.
    """
    found = snapshot(parts, model.name, digest)
    wanted = list(columns or found.columns)
    for name in wanted:
        if name not in found.columns:
            raise NotFoundError("column", name, found.columns)
    schema = _schema(model.call_schema, wanted)
    return schema, conform(parts.store.read_history(model.name, found.digest, wanted), schema)


def training_rows(
    parts: Parts, model: Model, start: datetime | None, end: datetime | None
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Return schema and rows of the latest history, then live rows with actuals.

    Raises:
        NotFoundError: there is no history.
    """
    found = snapshot(parts, model.name)
    call = model.call_schema
    later = [c.name for c in call.columns if c.name not in found.columns]
    schema = _schema(call, [*found.columns, *later])
    window = Window(start=_maybe(start), end=_maybe(end))

    def both() -> Iterator[pa.RecordBatch]:
        yield from conform(parts.store.read_history(model.name, found.digest), schema)
        live = parts.store.live_rows(model.name, call, window, with_actuals_only=True)
        yield from conform(live, schema)

    return schema, both()


def extend(
    parts: Parts, who: Principal, model: Model, start: datetime | None, end: datetime | None
) -> HistorySnapshot:
    """Keep the training rows as a snapshot that is not the latest one."""
    schema, batches = training_rows(parts, model, start, end)
    return parts.store.put_history(
        model.name,
        conform(batches, _plain(schema)),
        event_time=model.call_schema.event_time,
        created_by=who.name,
        latest=False,
    )


def _make(parts: Parts, who: Principal, name: str, told: Told, seen: Survey) -> Model:
    if told.task is None or told.target is None:
        raise InvalidInputError(
            f"{name!r} is a new model: say its task (regression or classification) and its target."
        )
    schema = first_schema(seen.columns, told.task, told.target, told.event_time)
    group = group_for(who, told.owner_group)
    return parts.registry.models.create(name, told.task, schema, group, who.name)


def _check_same(model: Model, told: Told) -> None:
    said = (
        ("task", told.task, model.task),
        ("target", told.target, model.call_schema.target),
        ("event_time", told.event_time, model.call_schema.event_time),
        ("owner_group", told.owner_group, model.owner_group),
    )
    for word, given, known in said:
        if given not in {None, known}:
            raise InvalidInputError(f"The {word} of {model.name!r} is {known} and stays so.")


def _schema(call: CallSchema, names: Sequence[str]) -> pa.Schema:
    columns = {c.name: c for c in (*call.columns, target_column(call))}
    return schema_of([columns[name] for name in names])


def _plain(schema: pa.Schema) -> pa.Schema:
    # Levels are told by the call schema; a snapshot's digest is of its values alone.
    return pa.schema([field.remove_metadata() for field in schema])


def _maybe(at: datetime | None) -> int | None:
    return None if at is None else microseconds(at)
