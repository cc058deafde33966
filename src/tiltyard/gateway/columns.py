"""What a row of a call may hold: the call schema, narrowed by the champion's signature."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tiltyard.types.schema import CallSchema, Column, ColumnType, Signature, UnknownLevel

Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Instant = Annotated[datetime, Meta(tz=True)]

_TYPES: dict[ColumnType, Any] = {
    ColumnType.BOOL: bool,
    ColumnType.INT64: Int64,
    ColumnType.FLOAT64: float,
    ColumnType.STRING: str,
    ColumnType.CATEGORY: str,
    ColumnType.DATE: date,
    ColumnType.DATETIME: Instant,
}


def narrowed(schema: CallSchema, signature: Signature | None) -> tuple[Column, ...]:
    """Return the columns of a call.

    A column that the champion uses has the champion's type, levels and policy, and is required
    when the champion cannot do without. Columns that only the champion knows come last.
    """
    needed = {column.name: column for column in signature.inputs} if signature else {}
    known = {column.name for column in schema.columns}
    extra = tuple(column for name, column in needed.items() if name not in known)
    return tuple(_narrow(c, needed.get(c.name)) for c in schema.columns) + extra


def _narrow(column: Column, needed: Column | None) -> Column:
    if needed is None:
        return column
    nullable = column.nullable and needed.nullable
    return needed.model_copy(update={"nullable": nullable})


def row_struct(columns: Sequence[Column]) -> type[msgspec.Struct]:
    """Return the struct of a row: fields ``f0`` … under the columns' real names.

    A nullable column that was not sent is UNSET, so that a row is recorded as it was sent.
    """
    fields: list[Any] = [_field(f"f{i}", column) for i, column in enumerate(columns)]
    fields.sort(key=len)
    rename = {f"f{i}": column.name for i, column in enumerate(columns)}
    return msgspec.defstruct("Row", fields, rename=rename, forbid_unknown_fields=True, gc=False)


def _field(name: str, column: Column) -> tuple[Any, ...]:
    kind = _kind(column)
    return (name, kind | None | UnsetType, UNSET) if column.nullable else (name, kind)


def _kind(column: Column) -> Any:
    if column.levels and column.unknown is UnknownLevel.REFUSE:
        return Literal[column.levels]
    return _TYPES[column.type]


def value_type(column_type: ColumnType) -> Any:
    """Return the type that a value of an actual must have in JSON."""
    return _TYPES[column_type]
