"""Arrow tables of inputs and predictions, as golden.arrow holds them, and batches of them."""

from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from tiltyard.errors import IntegrityError
from tiltyard.scoring.engines.base import Scores
from tiltyard.scoring.rows import split_columns
from tiltyard.types.schema import Column, ColumnType, Output, Signature

ARROW = {
    ColumnType.BOOL: pa.bool_(),
    ColumnType.INT64: pa.int64(),
    ColumnType.FLOAT64: pa.float64(),
    ColumnType.STRING: pa.string(),
    ColumnType.CATEGORY: pa.string(),
    ColumnType.DATE: pa.date32(),
    ColumnType.DATETIME: pa.timestamp("us", tz="UTC"),
}


class Packed(NamedTuple):
    """Arguments of a batch; see `frames.Batch`."""

    n: int
    numeric: bytes
    others: list[list[Any]]


def pack_table(signature: Signature, table: pa.Table) -> Packed:
    """Pack a table's input columns, found by name."""
    numeric, others = split_columns(signature)
    columns = signature.inputs
    doubles = [_doubles(table.column(columns[i].name)) for i in numeric]
    matrix = np.column_stack(doubles) if doubles else np.empty((table.num_rows, 0))
    return Packed(
        table.num_rows,
        np.ascontiguousarray(matrix, dtype="<f8").tobytes(),
        [_values(columns[i], table.column(columns[i].name)) for i in others],
    )


def scores_columns(output: Output, scores: Scores, prefix: str = "") -> dict[str, pa.Array]:
    """Return predictions as columns ``value`` and ``p0`` …, each after ``prefix``."""
    columns = {f"{prefix}value": pa.array(scores.values, ARROW[output.type])}
    if scores.probabilities is not None:
        for i, column in enumerate(scores.probabilities.T):
            columns[f"{prefix}p{i}"] = pa.array(np.ascontiguousarray(column))
    return columns


def read_scores(output: Output, table: pa.Table, prefix: str = "") -> Scores:
    """Read what `scores_columns` wrote."""
    value = table.column(f"{prefix}value")
    values = _doubles(value) if output.type is ColumnType.FLOAT64 else value.to_pylist()
    if not output.probabilities:
        return Scores(values)
    names = [f"{prefix}p{i}" for i in range(len(output.classes or ()))]
    return Scores(values, np.column_stack([_doubles(table.column(name)) for name in names]))


def write_table(path: Path, table: pa.Table) -> None:
    """Write an Arrow IPC stream file."""
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=65_536)


def read_table(path: Path) -> pa.Table:
    """Read an Arrow IPC stream file.

    Raises:
        IntegrityError: it is missing or no such file.
    """
    try:
        with pa.OSFile(str(path), "rb") as source, pa.ipc.open_stream(source) as reader:
            return reader.read_all()
    except (OSError, pa.ArrowException) as error:
        raise IntegrityError(f"{path} is no Arrow stream: {error}.") from None


def _doubles(column: pa.ChunkedArray) -> Any:
    # pyarrow's to_numpy and fill_null import pandas, which an ONNX scorer has no other use for.
    if column.null_count:
        return np.array([np.nan if v is None else v for v in column.to_pylist()])
    return np.array(np.from_dlpack(column.combine_chunks()))


def _values(column: Column, values: pa.ChunkedArray) -> list[Any]:
    found: list[Any] = values.to_pylist()
    if column.type is ColumnType.DATE:
        return [v.isoformat() if isinstance(v, date) else None for v in found]
    return found
