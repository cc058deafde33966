"""Scores many rows block by block with an engine."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from tiltyard.scoring.engines.base import Engine, Scores
from tiltyard.scoring.frames import Value
from tiltyard.scoring.tables import pack_table
from tiltyard.types.schema import ColumnType, Signature

BLOCK_ROWS = 4096


def score_table(engine: Engine, signature: Signature, table: pa.Table) -> Scores:
    """Return the scores of all rows of a table of inputs.

    Raises:
        Exception: whatever the engine raises for a row that it cannot score.
    """
    return _joined(
        [engine.score(*pack_table(signature, block)) for block in _blocks(table)],
        numbers=signature.output.type is ColumnType.FLOAT64,
    )


def score_known(engine: Engine, signature: Signature, table: pa.Table) -> Scores:
    """Return the scores of all rows; a row that the engine cannot score is missing.

    The value is then NaN or None, its probabilities NaN.
    """
    parts = []
    for block in _blocks(table):
        try:
            parts.append(engine.score(*pack_table(signature, block)))
        except Exception:
            parts += [_alone(engine, signature, block.slice(i, 1)) for i in range(len(block))]
    return _joined(parts, numbers=signature.output.type is ColumnType.FLOAT64)


def _alone(engine: Engine, signature: Signature, row: pa.Table) -> Scores:
    try:
        return engine.score(*pack_table(signature, row))
    except Exception:
        return _missing(signature)


def _missing(signature: Signature) -> Scores:
    output = signature.output
    if output.type is ColumnType.FLOAT64:
        return Scores(np.full(1, np.nan))
    unknown = np.full((1, len(output.classes or ())), np.nan)
    return Scores([None], unknown if output.probabilities else None)


def _blocks(table: pa.Table) -> Iterator[pa.Table]:
    for start in range(0, len(table), BLOCK_ROWS):
        yield table.slice(start, BLOCK_ROWS)


def _joined(parts: Sequence[Scores], *, numbers: bool) -> Scores:
    if numbers:
        return Scores(np.concatenate([np.asarray(part.values) for part in parts]))
    values: list[Value] = [value for part in parts for value in part.values]
    probabilities = [part.probabilities for part in parts if part.probabilities is not None]
    return Scores(values, np.concatenate(probabilities) if probabilities else None)
