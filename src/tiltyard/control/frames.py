"""What control learns from a frame that is to become history."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from tiltyard.client import wire
from tiltyard.errors import InvalidInputError
from tiltyard.types.schema import NAMES, Column, ColumnType, can_name_column

_TYPES = {
    pa.bool_(): ColumnType.BOOL,
    pa.int64(): ColumnType.INT64,
    pa.float64(): ColumnType.FLOAT64,
    pa.string(): ColumnType.STRING,
    pa.date32(): ColumnType.DATE,
    wire.UTC_MICROSECONDS: ColumnType.DATETIME,
}

MOST_LEVELS = 10_000


@dataclass
class Seen:
    """What one column of a frame turned out to hold.

    Attributes:
        levels: of a category, in their order; None for any other column.
    """

    name: str
    type: ColumnType
    missing: int = 0
    levels: dict[str, None] | None = None

    def column(self) -> Column:
        """Return it as a column of a schema."""
        return Column(
            name=self.name,
            type=self.type,
            nullable=self.missing > 0,
            levels=None if self.levels is None else tuple(self.levels),
        )


@dataclass
class Survey:
    """What a frame turned out to hold, after a look at all of it."""

    columns: dict[str, Seen] = field(default_factory=dict)
    rows: int = 0


def survey(batches: Iterable[pa.RecordBatch]) -> Survey:
    """Look at all batches once.

    Raises:
        InvalidInputError: naming the column that cannot be kept, or there are no rows.
    """
    found = Survey()
    for batch in batches:
        if not found.columns:
            found.columns = _begin(batch.schema)
        for name, array in zip(batch.schema.names, batch.columns, strict=True):
            _look(found.columns[name], array)
        found.rows += batch.num_rows
    if not found.rows:
        raise InvalidInputError("The frame has no rows: a history needs some.")
    return found


def conform(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield batches with exactly the columns and types of a schema; missing columns are null.

    Raises:
        InvalidInputError: a value would change.
    """
    for batch in batches:
        arrays = [_conformed(batch, wanted) for wanted in schema]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def schema_of(columns: Sequence[Column]) -> pa.Schema:
    """Return the wire schema of columns; categories say their levels."""
    fields = [(pa.field(c.name, wire.WIRE_TYPES[c.type]), c.levels) for c in columns]
    return pa.schema([f if levels is None else wire.with_levels(f, levels) for f, levels in fields])


def _begin(schema: pa.Schema) -> dict[str, Seen]:
    for name in schema.names:
        if not name or schema.names.count(name) > 1:
            raise InvalidInputError(
                f"Each column needs a name of its own, {name!r} is empty or there twice.",
                column=name,
            )
        if not can_name_column(name):
            raise InvalidInputError(
                f"Column {name!r} cannot be kept: {NAMES}. Rename it.", column=name
            )
    return {f.name: _begun(f) for f in schema}


def _begun(column: pa.Field) -> Seen:
    told = wire.levels_of(column)
    if pa.types.is_dictionary(column.type):
        told = told or []
    wired = wire.wire_array(column.name, pa.array([], column.type))
    kind = _TYPES[wired.type]
    if told is None or kind is not ColumnType.STRING:
        return Seen(column.name, kind)
    return Seen(column.name, ColumnType.CATEGORY, levels=dict.fromkeys(told))


def _look(seen: Seen, array: pa.Array) -> None:
    wired = wire.wire_array(seen.name, array)
    seen.missing += wired.null_count
    if seen.levels is None:
        return
    if pa.types.is_dictionary(array.type):
        seen.levels.update(dict.fromkeys(array.dictionary.to_pylist()))
    seen.levels.update(dict.fromkeys(v for v in pc.unique(wired).to_pylist() if v is not None))
    if len(seen.levels) > MOST_LEVELS:
        raise InvalidInputError(
            f"Column {seen.name!r} is a category of more than {MOST_LEVELS:,} levels: "
            "send it as text.",
            column=seen.name,
        )


def _conformed(batch: pa.RecordBatch, wanted: pa.Field) -> pa.Array:
    place = batch.schema.get_field_index(wanted.name)
    if place < 0:
        return pa.nulls(batch.num_rows, wanted.type)
    array = wire.wire_array(wanted.name, batch.column(place))
    if array.type == wanted.type:
        return array
    try:
        return array.cast(wanted.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InvalidInputError(
            f"Column {wanted.name!r} does not fit {wanted.type}: {error}.", column=wanted.name
        ) from None
