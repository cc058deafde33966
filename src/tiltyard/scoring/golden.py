"""Golden rows: inputs and the training process's predictions, which every scorer repeats."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tiltyard.errors import IntegrityError
from tiltyard.scoring.engines import EXACT
from tiltyard.scoring.engines.base import Engine, Scores
from tiltyard.scoring.tables import Packed, pack_table, read_scores, read_table
from tiltyard.types.schema import Signature

GOLDEN_FILE = "golden.arrow"
PREFIX = "__"
RELATIVE = 1e-5
"""Relative difference up to which an engine that is not exact agrees."""
OF_LARGEST = 1e-7
"""Difference, relative to the largest number, that is none, so that numbers near 0 can agree."""


class GoldenError(IntegrityError):
    """A scorer does not repeat the golden rows; it must not serve."""

    code = "golden_rows_differ"


class Golden(NamedTuple):
    """Golden inputs, packed as one batch, and their predictions."""

    batch: Packed
    scores: Scores


def read_golden(folder: Path, signature: Signature) -> Golden:
    """Read ``golden.arrow`` of a version's folder."""
    table = read_table(folder / GOLDEN_FILE)
    try:
        return Golden(pack_table(signature, table), read_scores(signature.output, table, PREFIX))
    except KeyError as error:
        raise IntegrityError(f"{folder / GOLDEN_FILE} lacks a column: {error}.") from None


def repeat_golden(engine: Engine, golden: Golden) -> None:
    """Score the golden rows, all in one batch as training did.

    Raises:
        GoldenError: naming the first row that differs.
    """
    try:
        scores = engine.score(*golden.batch)
    except Exception as error:  # an engine runs the model's own code, which may raise anything
        raise GoldenError(f"The golden rows cannot be scored: {error}") from error
    if difference := first_difference(golden.scores, scores, exact=engine.name in EXACT):
        raise GoldenError(
            f"Engine {engine.name!r} does not repeat the golden rows: {difference}. "
            "The libraries or the machine differ from training's: log the model again here."
        )


def first_difference(expected: Scores, found: Scores, *, exact: bool) -> str | None:
    """Name the first row in which predictions differ; None if there is none.

    Args:
        expected: from the training process.
        found: from the engine to judge, of the same rows.
        exact: equal to the bit; else equal classes, and numbers with
            |a - b| ≤ RELATIVE x |a| + OF_LARGEST x max|a|.
    """
    equal = _equal_values(expected.values, found.values, exact=exact)
    if expected.probabilities is not None:
        if found.probabilities is None or found.probabilities.shape != expected.probabilities.shape:
            return "the probabilities are not of the same shape"
        equal &= _equal(expected.probabilities, found.probabilities, exact=exact).all(axis=1)
    if equal.all():
        return None
    row = int(np.flatnonzero(~equal)[0])
    return f"row {row} is {_row(found, row)} instead of {_row(expected, row)}"


def _equal_values(expected: Any, found: Any, *, exact: bool) -> Any:
    if isinstance(expected, np.ndarray) and isinstance(found, np.ndarray):
        return _equal(expected, found, exact=exact)
    pairs = zip(expected, found, strict=True)
    return np.array([a == b and type(a) is type(b) for a, b in pairs], dtype=np.bool_)


def _equal(expected: Any, found: Any, *, exact: bool) -> Any:
    if exact:
        bits = (np.ascontiguousarray(a).view(np.int64) for a in (expected, found))
        return np.equal(*bits)
    largest = np.nanmax(np.abs(expected), initial=0.0)
    return np.isclose(found, expected, rtol=RELATIVE, atol=OF_LARGEST * largest, equal_nan=True)


def _row(scores: Scores, row: int) -> str:
    value = scores.values[row]
    text = repr(value.item() if isinstance(value, np.generic) else value)
    if scores.probabilities is None:
        return text
    return f"{text} {scores.probabilities[row].tolist()}"
