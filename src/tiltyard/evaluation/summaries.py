"""Summaries of live rows that merge: of a model's inputs, of a version's predictions.

Merging is associative and commutative: exact for counts, to rounding for sums.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from typing import Any, TypeVar

import msgspec

from tiltyard.evaluation.columns import (
    ColumnSummary,
    level_text,
    merge_columns,
    summarise_column,
)
from tiltyard.evaluation.outcomes import (
    ClassSums,
    ErrorSums,
    class_sums,
    error_sums,
    merge_classes,
    merge_errors,
)
from tiltyard.types.schema import CallSchema, ColumnType, Label, Task

Part = TypeVar("Part")


class Summary(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a set of rows; ``Summary()`` is that of no rows.

    Attributes:
        inputs: by column; of a model's rows.
        output: of a version's predictions.
        refusals: rows that the version could not score.
        errors: of a regression.
        classes: of a classification.
    """

    rows: int = 0
    inputs: dict[str, ColumnSummary] = {}
    output: ColumnSummary | None = None
    refusals: int = 0
    errors: ErrorSums | None = None
    classes: ClassSums | None = None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Summary)


def encode_summary(summary: Summary) -> bytes:
    """Return a summary as MessagePack."""
    return _encoder.encode(summary)


def decode_summary(payload: bytes) -> Summary:
    """Return the summary that was encoded."""
    return _decoder.decode(payload)


def summarise_inputs(
    rows: Sequence[Mapping[str, Any]],
    schema: CallSchema,
    histograms: Mapping[str, Sequence[float]],
) -> Summary:
    """Summarise rows as sent.

    Args:
        rows: column name → value; a column that a row lacks is missing there.
        schema: which columns there are, with their types and levels.
        histograms: column → bin edges fixed at training.
    """
    columns = {c.name: [row.get(c.name) for row in rows] for c in schema.columns}
    return summarise_columns(columns, len(rows), schema, histograms)


def summarise_columns(
    columns: Mapping[str, Iterable[Any]],
    rows: int,
    schema: CallSchema,
    histograms: Mapping[str, Sequence[float]],
) -> Summary:
    """Summarise rows given as columns, as ``summarise_inputs`` does; for histories."""
    inputs = {
        column.name: summarise_column(
            columns[column.name],
            column.type,
            levels=column.levels,
            edges=histograms.get(column.name, ()),
        )
        for column in schema.columns
        if column.name in columns
    }
    return Summary(rows=rows, inputs=inputs)


def summarise_version(
    values: Sequence[Any],
    actuals: Sequence[Any],
    *,
    task: Task,
    probabilities: Sequence[Sequence[float] | None] | None = None,
    classes: Sequence[Label] = (),
    edges: Sequence[float] = (),
    refusals: int = 0,
) -> Summary:
    """Summarise a version's predictions.

    Args:
        values: predictions; None where there is none.
        actuals: the last known actual of each, None where none is known.
        task: of the model.
        probabilities: one row for each prediction, of a classifier that gives them.
        classes: of a classifier, in the order of the probabilities.
        edges: bin edges of a regression's output.
        refusals: how many of the rows the version could not score.
    """
    if task is Task.REGRESSION:
        output = summarise_column(values, ColumnType.FLOAT64, edges=edges)
        errors = error_sums(actuals, values)
        return Summary(rows=len(values), output=output, refusals=refusals, errors=errors)
    levels = [level_text(label) for label in classes]
    return Summary(
        rows=len(values),
        output=summarise_column(values, ColumnType.CATEGORY, levels=levels),
        refusals=refusals,
        classes=class_sums(actuals, values, probabilities, classes),
    )


def merge(a: Summary, b: Summary) -> Summary:
    """Return the summary of both sets of rows."""
    return Summary(
        rows=a.rows + b.rows,
        inputs=_merge_inputs(a.inputs, b.inputs),
        output=_both(merge_columns, a.output, b.output),
        refusals=a.refusals + b.refusals,
        errors=_both(merge_errors, a.errors, b.errors),
        classes=_both(merge_classes, a.classes, b.classes),
    )


def merge_all(summaries: Iterable[Summary]) -> Summary:
    """Return the summary of all sets of rows."""
    return reduce(merge, summaries, Summary())


def _merge_inputs(
    a: Mapping[str, ColumnSummary], b: Mapping[str, ColumnSummary]
) -> dict[str, ColumnSummary]:
    both = {name: merge_columns(a[name], b[name]) for name in a if name in b}
    return {**a, **b, **both}


def _both(join: Callable[[Part, Part], Part], a: Part | None, b: Part | None) -> Part | None:
    if a is None or b is None:
        return b if a is None else a
    return join(a, b)
