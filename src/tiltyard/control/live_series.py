"""Series of live data: rows where they are few, else buckets of summaries."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from tiltyard.control.lines import bucket_line, number_line, share_lines
from tiltyard.control.tiers import INPUTS, buckets, resolution_for
from tiltyard.stores.base import Store, Window
from tiltyard.types.monitor import Axis, Line, Resolution, Series, Source
from tiltyard.types.registry import Model, Version
from tiltyard.types.schema import Column, ColumnType, Task

if TYPE_CHECKING:
    from tiltyard.evaluation.columns import ColumnSummary
    from tiltyard.evaluation.outcomes import ClassSums
    from tiltyard.evaluation.summaries import Summary

PREDICTED, ACTUAL = "predicted", "actual"
PRESENT = "present"
"""The one line of text without levels: the share of rows that have it."""


def live_series(
    store: Store, model: Model, version: Version, variable: str, window: Window, points: int
) -> Series:
    """Return a variable's series over live data; an empty one when there is none.

    Args:
        store: where the rows are.
        model: whose rows.
        version: whose predictions.
        variable: a column of the call schema, or the target.
        window: of bucket times; open ends are those of the live data.
        points: at most so many, unless even days are more.
    """
    span = _range(store, model, window)
    if span is None:
        return _series(model, version, variable, Resolution.ROW, 0, (), ())
    start, end = span
    is_target = variable == model.call_schema.target
    if is_target and model.task is Task.REGRESSION and _few(store, model, points):
        return _of_rows(store, model, version, Window(start, end))
    resolution = resolution_for(start, end, points)
    by = version.version if is_target else INPUTS
    found = list(buckets(store, model.name, by, (resolution, start, end)))
    rows = sum(summary.rows for _, summary in found)
    if is_target and model.task is Task.REGRESSION and rows <= points:
        return _of_rows(store, model, version, Window(start, end))
    summaries = [summary for _, summary in found]
    lines = _outcomes(model, summaries) if is_target else _inputs(model, variable, summaries)
    at = tuple(at for at, _ in found)
    return _series(model, version, variable, resolution, rows, at, lines)


def _range(store: Store, model: Model, window: Window) -> tuple[int, int] | None:
    known = store.event_range(model.name)
    if known is None:
        return None
    start = known[0] if window.start is None else max(window.start, known[0])
    end = known[1] + 1 if window.end is None else min(window.end, known[1] + 1)
    return (start, end) if start < end else None


def _few(store: Store, model: Model, points: int) -> bool:
    """Whether all rows there are can be drawn; then nothing waits for the summariser."""
    return store.counts(model.name)["predictions"] <= points


def _of_rows(store: Store, model: Model, version: Version, window: Window) -> Series:
    table = store.scored(model.name, version.version, window)
    lines = (_numbers(PREDICTED, table["value"]), _numbers(ACTUAL, table["actual"]))
    at = tuple(table["at"].to_pylist())
    target = model.call_schema.target
    return _series(model, version, target, Resolution.ROW, table.num_rows, at, lines)


def _numbers(name: str, column: pa.ChunkedArray) -> Line:
    values = column.cast(pa.float64()).to_pylist()
    return number_line(name, [float("nan") if v is None else v for v in values])


def _outcomes(model: Model, found: "Sequence[Summary]") -> tuple[Line, ...]:
    from tiltyard.evaluation.columns import ColumnSummary  # noqa: PLC0415  see performance
    from tiltyard.evaluation.outcomes import ErrorSums  # noqa: PLC0415  likewise

    outputs = [summary.output or ColumnSummary() for summary in found]
    if model.task is Task.REGRESSION:
        actuals = [(summary.errors or ErrorSums()).actual for summary in found]
        made = [output.moments for output in outputs]
        return bucket_line(PREDICTED, made), bucket_line(ACTUAL, actuals)
    predicted = share_lines([output.levels for output in outputs], f"{PREDICTED} ")
    actual = share_lines([_actual_levels(s.classes) for s in found], f"{ACTUAL} ")
    return predicted + actual


def _actual_levels(sums: "ClassSums | None") -> Mapping[str, int]:
    from tiltyard.evaluation.columns import level_text  # noqa: PLC0415  see performance

    if sums is None:
        return {}
    names = [*map(level_text, sums.classes), "other"]
    return {n: c for n, row in zip(names, sums.confusion, strict=True) if (c := sum(row))}


def _inputs(model: Model, variable: str, found: "Sequence[Summary]") -> tuple[Line, ...]:
    from tiltyard.evaluation.columns import ColumnSummary  # noqa: PLC0415  see performance

    column = next(c for c in model.call_schema.columns if c.name == variable)
    columns = [summary.inputs.get(variable, ColumnSummary()) for summary in found]
    if column.type in {ColumnType.CATEGORY, ColumnType.BOOL}:
        return share_lines([_levels(one) for one in columns])
    if column.type is ColumnType.STRING:
        return (_present(columns),)
    return (bucket_line(column.name, [one.moments for one in columns]),)


def _levels(one: "ColumnSummary") -> Mapping[str, int]:
    return {**one.levels, "other": one.other} if one.other else one.levels


def _present(columns: "Sequence[ColumnSummary]") -> Line:
    wholes = [one.n + one.missing for one in columns]
    shares = [one.n / n if n else None for one, n in zip(columns, wholes, strict=True)]
    return Line(name=PRESENT, value=tuple(shares))


def _series(
    model: Model,
    version: Version,
    variable: str,
    resolution: Resolution,
    rows: int,
    at: tuple[int, ...],
    lines: tuple[Line, ...],
) -> Series:
    return Series(
        model=model.name,
        version=version.version,
        variable=variable,
        source=Source.LIVE,
        axis=Axis.TIME,
        resolution=resolution,
        rows=rows,
        at=at,
        lines=lines,
    )


def column_of(model: Model, variable: str) -> Column | None:
    """Return a column of the call schema; None if it is none."""
    return next((c for c in model.call_schema.columns if c.name == variable), None)
