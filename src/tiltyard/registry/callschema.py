"""The rules of call schemas: what a first one holds, how it widens, what a signature uses."""

from collections.abc import Iterator

from tiltyard.errors import InvalidInputError
from tiltyard.types.schema import CallSchema, Column, ColumnType, Signature, Task, UnknownLevel

TARGETS = {
    Task.REGRESSION: {ColumnType.INT64, ColumnType.FLOAT64},
    Task.CLASSIFICATION: {
        ColumnType.BOOL,
        ColumnType.INT64,
        ColumnType.STRING,
        ColumnType.CATEGORY,
    },
}


def check(schema: CallSchema, task: Task) -> None:
    """Check a call schema by itself.

    Raises:
        InvalidInputError: saying all that is wrong.
    """
    _refuse("The call schema cannot be used", list(_faults(schema, task)))


def widened(old: CallSchema, new: CallSchema) -> CallSchema:
    """Return the schema that takes every call of both.

    New columns must be nullable; an existing column keeps its type, may become nullable, may
    gain levels and may refuse fewer unknown ones. Levels keep their order, new ones follow.

    Raises:
        InvalidInputError: naming each difference that would narrow it.
    """
    _refuse("A call schema only widens", list(_narrowings(old, new)))
    return new.model_copy(update={"columns": tuple(_merged(old, c) for c in new.columns)})


def check_signature(signature: Signature, schema: CallSchema) -> None:
    """Check that a version's inputs are columns of the model's calls, of the same type.

    Raises:
        InvalidInputError: naming each column that is missing or of another type.
    """
    _refuse("The version does not fit the call schema", list(_misfits(signature, schema)))


def _refuse(what: str, faults: list[str]) -> None:
    if faults:
        raise InvalidInputError(f"{what}: {'; '.join(faults)}.", faults=faults)


def _faults(schema: CallSchema, task: Task) -> Iterator[str]:
    names = [column.name for column in schema.columns]
    if not names:
        yield "it has no columns"
    yield from (f"column {n!r} is there twice" for n in sorted({*names}) if names.count(n) > 1)
    if schema.target in names:
        yield f"the target {schema.target!r} is given by actuals and is no column of a call"
    if schema.target_type not in TARGETS[task]:
        allowed = ", ".join(sorted(TARGETS[task]))
        yield f"the target of a {task} has type {allowed}, not {schema.target_type}"
    if schema.event_time is not None:
        column = schema.column(schema.event_time)
        if column is None or column.type is not ColumnType.DATETIME:
            yield f"the event time {schema.event_time!r} must be a column of type datetime"


def _narrowings(old: CallSchema, new: CallSchema) -> Iterator[str]:
    for word in ("target", "target_type", "event_time"):
        before, after = getattr(old, word), getattr(new, word)
        if before != after:
            yield f"its {word} is {_word(before)} and stays so, {_word(after)} was given"
    for column in old.columns:
        other = new.column(column.name)
        if other is None:
            yield f"column {column.name!r} is missing"
        else:
            yield from _column_narrowings(column, other)
    known = {column.name for column in old.columns}
    for column in new.columns:
        if column.name not in known and not column.nullable:
            yield f"the new column {column.name!r} must be nullable"


def _column_narrowings(old: Column, new: Column) -> Iterator[str]:
    if new.type is not old.type:
        yield f"column {old.name!r} is {old.type} and stays so, {new.type} was given"
        return
    if old.nullable and not new.nullable:
        yield f"column {old.name!r} is nullable and stays so"
    gone = [level for level in old.levels or () if level not in (new.levels or ())]
    if gone:
        yield f"column {old.name!r} lost the levels {', '.join(map(repr, gone))}"
    if new.unknown is UnknownLevel.REFUSE and old.unknown is not UnknownLevel.REFUSE:
        yield f"column {old.name!r} takes unknown levels and goes on so"


def _merged(old: CallSchema, column: Column) -> Column:
    before = old.column(column.name)
    if before is None or before.levels is None or column.levels is None:
        return column
    added = tuple(level for level in column.levels if level not in before.levels)
    return column.model_copy(update={"levels": before.levels + added})


def _misfits(signature: Signature, schema: CallSchema) -> Iterator[str]:
    for wanted in signature.inputs:
        column = schema.column(wanted.name)
        if column is None:
            yield f"column {wanted.name!r} is not in the call schema"
        elif column.type is not wanted.type:
            yield f"column {wanted.name!r} is {column.type} in calls, {wanted.type} in the version"


def _word(value: object) -> str:
    return "none" if value is None else str(value)
