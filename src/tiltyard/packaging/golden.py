"""Chooses golden rows and writes them with the training process's predictions."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tiltyard.errors import InvalidInputError
from tiltyard.packaging.tables import input_table
from tiltyard.scoring.engines.base import Engine, Scores
from tiltyard.scoring.golden import GOLDEN_FILE, PREFIX
from tiltyard.scoring.tables import pack_table, scores_columns, write_table
from tiltyard.types.schema import Column, ColumnType, Signature

ROWS = 100
SEED = 20110101


def golden_rows(frame: pd.DataFrame, columns: tuple[Column, ...]) -> NDArray[np.int64]:
    """Return positions of at least `ROWS` rows, the same for the same frame.

    They hold each level and each missing value that occurs, the least and the greatest of each
    number, and rows drawn at random. A frame with fewer rows gives all of them, repeated.
    """
    rows = len(frame)
    if rows <= ROWS:
        return np.resize(np.arange(rows, dtype=np.int64), ROWS)
    drawn = np.random.default_rng(SEED).choice(rows, ROWS, replace=False)
    wanted = {int(row) for column in columns for row in _telling(frame, column)}
    return np.unique(np.concatenate([drawn, np.array(sorted(wanted), dtype=np.int64)]))


def write_golden(folder: Path, native: Engine, signature: Signature, frame: pd.DataFrame) -> Scores:
    """Write ``golden.arrow`` and return the predictions in it, made in one batch."""
    table = input_table(signature, frame.iloc[golden_rows(frame, signature.inputs)])
    with threadpool_limits(1):  # as in a scorer: more threads would add in another order
        scores = _scored(native, signature, table)
    for name, column in scores_columns(signature.output, scores, PREFIX).items():
        table = table.append_column(name, column)
    write_table(folder / GOLDEN_FILE, table)
    return scores


def _scored(native: Engine, signature: Signature, table: pa.Table) -> Scores:
    try:
        return native.score(*pack_table(signature, table))
    except Exception as error:
        # An estimator may raise anything; here it was given rows of its own training.
        raise InvalidInputError(
            "The estimator cannot score its own training rows once they have the signature's "
            f"types: {type(error).__name__}: {error}"
        ) from error


def _telling(frame: pd.DataFrame, column: Column) -> list[int]:
    series = frame[column.name].reset_index(drop=True)
    missing: list[int] = np.flatnonzero(series.isna())[:1].tolist()
    if column.type is ColumnType.CATEGORY:
        return [*missing, *series.dropna().drop_duplicates().index]
    if column.type in {ColumnType.INT64, ColumnType.FLOAT64}:
        return [*missing, int(np.nanargmin(series)), int(np.nanargmax(series))]
    return missing
