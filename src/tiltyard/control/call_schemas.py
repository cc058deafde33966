"""The call schema that a history defines: all its columns but the target."""

from collections.abc import Mapping

from tiltyard.control.frames import Seen
from tiltyard.errors import InvalidInputError
from tiltyard.types.registry import Model
from tiltyard.types.schema import CallSchema, Column, ColumnType, Task

_TEXT = {ColumnType.STRING, ColumnType.CATEGORY}


def first_schema(
    columns: Mapping[str, Seen], task: Task, target: str, event_time: str | None
) -> CallSchema:
    """Return the call schema of a new model.

    Raises:
        InvalidInputError: the target or the event time cannot be used.
    """
    return CallSchema(
        columns=tuple(c.column() for c in columns.values() if c.name != target),
        target=target,
        target_type=_target_type(columns, task, target),
        event_time=_event_time(columns, event_time),
    )


def wider_schema(columns: Mapping[str, Seen], model: Model) -> CallSchema:
    """Return a model's call schema, widened to take these columns too.

    An old column stays, keeps its type and its levels and may become nullable; whole numbers
    fit a float64 column, a text column takes categories and the other way round. New columns
    become nullable.

    Raises:
        InvalidInputError: a column is of another type, the target or the event time is missing.
    """
    old = model.call_schema
    kind = _target_type(columns, model.task, old.target)
    if kind is not old.target_type and not _fits(kind, old.target_type):
        raise _other_type(old.target, old.target_type, kind)
    _event_time(columns, old.event_time)
    known = {c.name for c in old.columns} | {old.target}
    new = [c.column() for c in columns.values() if c.name not in known]
    return old.model_copy(
        update={
            "columns": (
                *(_widened(c, columns.get(c.name)) for c in old.columns),
                *(c.model_copy(update={"nullable": True}) for c in new),
            )
        }
    )


def target_column(schema: CallSchema) -> Column:
    """Return the target as a column of a frame."""
    kind = ColumnType.STRING if schema.target_type in _TEXT else schema.target_type
    return Column(name=schema.target, type=kind)


def _widened(old: Column, seen: Seen | None) -> Column:
    if seen is None:
        return old
    if seen.type is not old.type and not _fits(seen.type, old.type):
        raise _other_type(old.name, old.type, seen.type)
    change: dict[str, object] = {"nullable": old.nullable or seen.missing > 0}
    if old.levels is not None:
        change["levels"] = tuple(dict.fromkeys([*old.levels, *(seen.levels or ())]))
    return old.model_copy(update=change)


def _fits(given: ColumnType, wanted: ColumnType) -> bool:
    number = (given, wanted) == (ColumnType.INT64, ColumnType.FLOAT64)
    return number or {given, wanted} <= _TEXT


def _target_type(columns: Mapping[str, Seen], task: Task, target: str) -> ColumnType:
    seen = columns.get(target)
    if seen is None:
        raise InvalidInputError(
            f"The target {target!r} is no column of the frame, which has {', '.join(columns)}.",
            target=target,
        )
    if seen.missing:
        raise InvalidInputError(
            f"The target {target!r} is missing in {seen.missing} rows: leave these rows out.",
            target=target,
        )
    kind = ColumnType.STRING if seen.type in _TEXT else seen.type
    number = kind in {ColumnType.INT64, ColumnType.FLOAT64}
    label = kind in {ColumnType.BOOL, ColumnType.INT64, ColumnType.STRING}
    if number if task is Task.REGRESSION else label:
        return kind
    wanted = "a number" if task is Task.REGRESSION else "a bool, a whole number or text"
    raise InvalidInputError(
        f"The target {target!r} of a {task} must be {wanted}, not {kind}.", target=target
    )


def _event_time(columns: Mapping[str, Seen], event_time: str | None) -> str | None:
    if event_time is None:
        return None
    seen = columns.get(event_time)
    if seen is None or seen.type is not ColumnType.DATETIME or seen.missing:
        what = "no column" if seen is None else f"{seen.type}, missing in {seen.missing} rows"
        raise InvalidInputError(
            f"The event time {event_time!r} must be a column of times, none missing; it is {what}.",
            event_time=event_time,
        )
    return event_time


def _other_type(name: str, wanted: ColumnType, given: ColumnType) -> InvalidInputError:
    return InvalidInputError(
        f"Column {name!r} of this model is {wanted} and stays so; the frame has {given}.",
        column=name,
    )
