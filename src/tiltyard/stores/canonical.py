"""The one form in which a history is kept, and its digest.

Columns become one of seven Arrow types: ``bool``, ``int64``, ``float64``, ``string``,
``date32``, ``timestamp[us, UTC]``; a category is kept as its text (levels belong to schemas, not
to rows). NaN becomes null. A naive time is refused, as is a value that its type cannot hold.

The digest is SHA-256 over an encoding of our own, so that neither the batches in which rows come
nor Arrow's internals matter:

- the header: canonical JSON of ``{"format": 1, "event_time": …, "columns": [[name, type], …]}``,
  its length in front as u64;
- for every ``BATCH_ROWS`` rows (the last part may be shorter): their number as u64, then for each
  column its validity (a byte a row, 1 = there is a value), then its values with zeros (or empty
  texts) for nulls: bool as a byte, int64 and timestamps (µs) as i64, dates (days since 1970) as
  i32, float64 as its bits, a text as its length in bytes (u32 a row), then all texts one after
  the other as UTF-8. All numbers are little endian.
"""

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tiltyard.errors import InvalidInputError
from tiltyard.stores.base import BATCH_ROWS
from tiltyard.types.base import canonical_json

TIMESTAMP = pa.timestamp("us", "UTC")

FORMAT = 1


def canonical_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema in which rows of this schema are kept.

    Raises:
        InvalidInputError: naming the column that cannot be kept, and what to do.
    """
    double = {name for name in schema.names if schema.names.count(name) > 1}
    if double:
        raise InvalidInputError(f"Two columns have the name {min(double)!r}: rename one.")
    return pa.schema([pa.field(field.name, _canonical_type(field)) for field in schema])


def _canonical_type(field: pa.Field) -> pa.DataType:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    for matches, canonical in _TYPES:
        if matches(kind):
            return canonical
    if pa.types.is_timestamp(kind):
        return _timestamp(field.name, kind)
    raise InvalidInputError(
        f"Column {field.name!r} has type {field.type}, which cannot be kept: cast it to a bool, "
        "int64, float64, text, date or UTC time.",
        column=field.name,
    )


_TYPES = (
    (pa.types.is_boolean, pa.bool_()),
    (pa.types.is_integer, pa.int64()),
    (pa.types.is_floating, pa.float64()),
    (pa.types.is_string, pa.string()),
    (pa.types.is_large_string, pa.string()),
    (pa.types.is_string_view, pa.string()),
    (pa.types.is_date, pa.date32()),
)


def _timestamp(name: str, kind: pa.TimestampType) -> pa.DataType:
    if kind.tz is None:
        raise InvalidInputError(
            f"Column {name!r} holds times without a zone: say which, for example with "
            f"frame[{name!r}].dt.tz_localize('UTC').",
            column=name,
        )
    return TIMESTAMP


def canonical_batches(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Yield the rows in canonical types, in batches of BATCH_ROWS, the last one shorter.

    Raises:
        InvalidInputError: a batch has other columns or types, or a value does not fit.
    """
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        for start in range(0, batch.num_rows, BATCH_ROWS):
            waiting.append(_canonical(batch.slice(start, BATCH_ROWS), schema))
            rows += waiting[-1].num_rows
            if rows >= BATCH_ROWS:
                joined = pa.concat_batches(waiting)
                yield joined.slice(0, BATCH_ROWS)
                waiting = [joined.slice(BATCH_ROWS)]
                rows -= BATCH_ROWS
    if rows:
        yield pa.concat_batches(waiting)


def _canonical(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    if not canonical_schema(batch.schema).equals(schema):
        raise InvalidInputError("A batch has other columns or types than the first one.")
    columns = [
        _canonical_column(column, field) for column, field in zip(batch, schema, strict=True)
    ]
    return pa.record_batch(columns, schema=schema)


def _canonical_column(column: pa.Array, field: pa.Field) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    try:
        column = column.cast(field.type)
    except pa.ArrowInvalid as error:
        raise InvalidInputError(
            f"Column {field.name!r} cannot be kept as {field.type}: {error}", column=field.name
        ) from None
    if pa.types.is_floating(field.type):
        return pc.if_else(pc.is_nan(column), pa.scalar(None, field.type), column)
    return column


class HistoryDigest:
    """Digests canonical batches as they pass."""

    def __init__(self, schema: pa.Schema, event_time: str | None) -> None:
        header = canonical_json(
            {
                "format": FORMAT,
                "event_time": event_time,
                "columns": [[field.name, str(field.type)] for field in schema],
            }
        )
        self._hash = hashlib.sha256(len(header).to_bytes(8, "little") + header)

    def update(self, batch: pa.RecordBatch) -> None:
        """Add the next batch of ``canonical_batches``."""
        self._hash.update(batch.num_rows.to_bytes(8, "little"))
        for column in batch:
            self._hash.update(_numbers(column.is_valid(), "u1"))
            for part in _values(column):
                self._hash.update(part)

    def hex(self) -> str:
        """Return the digest of what has passed."""
        return self._hash.hexdigest()


def _values(column: pa.Array) -> Iterator[bytes]:
    if pa.types.is_string(column.type):
        filled = column.fill_null("")
        yield _numbers(pc.binary_length(filled), "<u4")
        yield "".join(filled.to_pylist()).encode()
    elif pa.types.is_boolean(column.type):
        yield _numbers(column.fill_null(False), "u1")
    elif pa.types.is_date(column.type):
        yield _numbers(column.cast(pa.int32()).fill_null(0), "<i4")
    elif pa.types.is_timestamp(column.type):
        yield _numbers(column.cast(pa.int64()).fill_null(0), "<i8")
    else:
        yield _numbers(column.fill_null(0), "<f8" if pa.types.is_floating(column.type) else "<i8")


def _numbers(array: pa.Array, kind: str) -> bytes:
    return np.ascontiguousarray(array.to_numpy(zero_copy_only=False), dtype=kind).tobytes()
