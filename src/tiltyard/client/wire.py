"""Arrow on the wire between control and its clients.

A column is one of the types of a signature: bool, int64, float64, string, date32, timestamp in
UTC microseconds. A category travels as text; its levels travel in the field's metadata. Missing
is null.
"""

import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from tiltyard.errors import InvalidInputError
from tiltyard.types.schema import ColumnType

BATCH_ROWS = 65_536
MEDIA_TYPE = "application/vnd.apache.arrow.stream"
LEVELS = b"tiltyard.levels"
"""Key of a field's metadata: the levels of a category, as a JSON list."""

UTC_MICROSECONDS = pa.timestamp("us", tz="UTC")

WIRE_TYPES = {
    ColumnType.BOOL: pa.bool_(),
    ColumnType.INT64: pa.int64(),
    ColumnType.FLOAT64: pa.float64(),
    ColumnType.STRING: pa.string(),
    ColumnType.CATEGORY: pa.string(),
    ColumnType.DATE: pa.date32(),
    ColumnType.DATETIME: UTC_MICROSECONDS,
}


def encode(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    """Yield an Arrow IPC stream piece by piece."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            for start in range(0, batch.num_rows, BATCH_ROWS):
                writer.write_batch(batch.slice(start, BATCH_ROWS))
                yield _drain(sink)
    yield _drain(sink)


def decode(source: Any) -> Iterator[pa.RecordBatch]:
    """Yield the batches of an Arrow IPC stream (a file or bytes).

    The first batch may be empty: it carries the schema of a stream without rows.
    """
    with pa.ipc.open_stream(source) as reader:
        yield pa.RecordBatch.from_pylist([], schema=reader.schema)
        yield from reader


def with_levels(field: pa.Field, levels: Iterable[str]) -> pa.Field:
    """Return a text field that says it is a category with these levels."""
    return field.with_metadata({LEVELS: json.dumps(list(levels)).encode()})


def levels_of(field: pa.Field) -> list[str] | None:
    """Return the levels that a field says it has; None when it is no category."""
    told = (field.metadata or {}).get(LEVELS)
    return None if told is None else [str(level) for level in json.loads(told)]


def wire_array(name: str, array: Any) -> Any:
    """Return an Arrow array or chunked array in its wire type.

    Raises:
        InvalidInputError: its type has none, or a value would change.
    """
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    target = _wire_type(name, array.type)
    try:
        return array if array.type == target else array.cast(target)
    except pa.ArrowInvalid as error:
        raise InvalidInputError(
            f"Column {name!r} does not fit {target}: {error}.", column=name
        ) from None


def _wire_type(name: str, kind: pa.DataType) -> pa.DataType:
    for test, target in _TARGETS:
        if test(kind):
            return target
    if pa.types.is_timestamp(kind):
        if kind.tz is None:
            raise InvalidInputError(
                f"Column {name!r} holds times without a zone: say which it is, for example "
                f"frame[{name!r}].dt.tz_localize('UTC').",
                column=name,
            )
        return UTC_MICROSECONDS
    raise InvalidInputError(
        f"Column {name!r} is of type {kind}, which has no place in a history: make it "
        "a bool, a number, text, a category, a date or a datetime.",
        column=name,
    )


_TARGETS = (
    (pa.types.is_boolean, pa.bool_()),
    (pa.types.is_integer, pa.int64()),
    (pa.types.is_floating, pa.float64()),
    (pa.types.is_string, pa.string()),
    (pa.types.is_large_string, pa.string()),
    (pa.types.is_string_view, pa.string()),
    (pa.types.is_date, pa.date32()),
)


def _drain(sink: io.BytesIO) -> bytes:
    piece = sink.getvalue()
    sink.seek(0)
    sink.truncate()
    return piece
