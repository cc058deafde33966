"""Series of a version's history: rows where they are few, else means or chosen rows."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from tsdownsample import MinMaxLTTBDownsampler

from tiltyard.control.lines import finite, number_line, share_lines
from tiltyard.control.live_series import ACTUAL, PREDICTED, PRESENT, column_of
from tiltyard.control.tiers import WIDTHS, resolution_for
from tiltyard.errors import NotFoundError
from tiltyard.stores.base import Store
from tiltyard.types.monitor import Axis, Line, Resolution, Series, Source
from tiltyard.types.registry import Model, Version
from tiltyard.types.schema import ColumnType, Task

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

BLOCKS = 200
"""Points of lines that are shares: more would be noise."""

_SECOND_US = 1_000_000


class _Of(Enum):
    """What a variable is, so far as it matters here."""

    TARGET = "target"
    TEXT = "text"
    ANY = "any other column"


class HistorySeries:
    """Makes series of histories. Snapshots never change, so what was made is kept."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._made = lru_cache(maxsize=128)(self._make)

    def series(self, model: Model, version: Version, variable: str, points: int) -> Series:
        """Return a variable's series over the history that a version was trained on.

        Args:
            model: whose history.
            version: whose history and predictions.
            variable: a column of the call schema, or the target.
            points: at most so many.

        Raises:
            NotFoundError: the version has no history, no predictions of it, or it lacks the
                column.
        """
        digest = version.manifest.provenance.history_digest
        if digest is None:
            raise NotFoundError("history of", f"{model.name} version {version.version}")
        call = model.call_schema
        key = (model.name, version.version, digest, variable, call.event_time, points)
        return self._made(*key, model.task, _what(model, variable))

    def _make(
        self,
        model: str,
        version: int,
        digest: str,
        variable: str,
        event_time: str | None,
        points: int,
        task: Task,
        of: _Of,
    ) -> Series:
        table = self._read(model, digest, variable, event_time)
        at = _times(table[event_time]) if event_time else np.arange(table.num_rows)
        order = np.argsort(at, kind="stable")
        columns = {variable: _presence(table[variable]) if of is _Of.TEXT else table[variable]}
        if of is _Of.TARGET:
            made = pa.Table.from_batches(self._store.read_history_predictions(model, version))
            columns = {PREDICTED: made["value"], ACTUAL: table[variable]}
        columns = {name: column.take(pa.array(order)) for name, column in columns.items()}
        numeric = of is not _Of.TARGET or task is Task.REGRESSION
        numbers = _all_numbers(columns.values()) if numeric else None
        at = at[order]
        named = None if numbers is None else dict(zip(columns, numbers, strict=True))
        if named is None:
            resolution, shown, lines = _shares(columns, at, points, is_time=event_time is not None)
        elif event_time is not None and len(at) > points:
            resolution, shown, lines = _buckets(named, at, points)
        else:
            resolution, shown, lines = _numbers(named, at, points)
        return Series(
            model=model,
            version=version,
            variable=variable,
            source=Source.HISTORY,
            axis=Axis.TIME if event_time else Axis.ROW,
            resolution=resolution,
            rows=table.num_rows,
            at=tuple(shown.tolist()),
            lines=lines,
        )

    def _read(self, model: str, digest: str, variable: str, event_time: str | None) -> pa.Table:
        snapshot = self._store.history(model, digest)
        known = () if snapshot is None else snapshot.columns
        if variable not in known:
            raise NotFoundError("column", variable, known)
        wanted = list(dict.fromkeys([variable, *([event_time] if event_time else [])]))
        return pa.Table.from_batches(self._store.read_history(model, digest, wanted))


def _what(model: Model, variable: str) -> _Of:
    if variable == model.call_schema.target:
        return _Of.TARGET
    column = column_of(model, variable)
    return _Of.TEXT if column and column.type is ColumnType.STRING else _Of.ANY


def _presence(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Of text without levels only this can be drawn: whether it is there."""
    return pc.if_else(pc.is_valid(column), PRESENT, "missing")


def _numbers(
    columns: Mapping[str, Floats], at: Integers, points: int
) -> tuple[Resolution, Integers, tuple[Line, ...]]:
    """Choose rows by the last column, and show the same ones of the others."""
    *_, leading = columns.values()
    chosen, resolution = slice(None), Resolution.ROW
    if len(at) > points:
        filled = np.where(np.isfinite(leading), leading, np.nanmean(leading))
        # Rows, not times: equal times are no order for it, and gaps in time are no slope.
        downsampler = MinMaxLTTBDownsampler()  # type: ignore[no-untyped-call]  # theirs has no types
        chosen = downsampler.downsample(filled, n_out=points)
        resolution = Resolution.SAMPLED
    lines = tuple(number_line(name, values[chosen].tolist()) for name, values in columns.items())
    return resolution, at[chosen], lines


def _buckets(
    columns: Mapping[str, Floats], at: Integers, points: int
) -> tuple[Resolution, Integers, tuple[Line, ...]]:
    """Return means between extremes by minute, hour or day, as of live data."""
    resolution = resolution_for(int(at[0]), int(at[-1]) + 1, points)
    shown, first = np.unique(at - at % WIDTHS[resolution], return_index=True)
    lines = []
    for name, values in columns.items():
        there = np.isfinite(values)
        counts = np.add.reduceat(there.astype(np.int64), first)
        sums = np.add.reduceat(np.where(there, values, 0.0), first)
        lows = np.minimum.reduceat(np.where(there, values, np.inf), first)
        highs = np.maximum.reduceat(np.where(there, values, -np.inf), first)
        means = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
        lines.append(
            Line(
                name=name,
                value=finite(means.tolist()),
                low=finite(lows.tolist()),
                high=finite(highs.tolist()),
            )
        )
    return resolution, shown, tuple(lines)


def _shares(
    columns: Mapping[str, pa.ChunkedArray],
    at: Integers,
    points: int,
    *,
    is_time: bool,
) -> tuple[Resolution, Integers, tuple[Line, ...]]:
    """Count levels by bucket of time, or by block of rows."""
    most = min(points, BLOCKS)
    if len(at) == 0:
        return Resolution.ROW, at, ()
    if is_time:
        resolution = resolution_for(int(at[0]), int(at[-1]) + 1, most)
        starts = at - at % WIDTHS[resolution]
    else:
        resolution = Resolution.SAMPLED
        size = -(-len(at) // most)
        starts = at - at % size
    shown, block = np.unique(starts, return_inverse=True)
    lines: list[Line] = []
    for name, column in columns.items():
        prefix = f"{name} " if len(columns) > 1 else ""
        counts = _count(column, block, len(shown))
        lines += share_lines(counts, prefix)
    return resolution, shown, tuple(lines)


def _count(column: pa.ChunkedArray, block: Any, blocks: int) -> list[Counter[str]]:
    from tiltyard.evaluation.columns import level_text  # noqa: PLC0415  see performance

    counts: list[Counter[str]] = [Counter() for _ in range(blocks)]
    for place, value in zip(block.tolist(), column.to_pylist(), strict=True):
        if value is not None:
            counts[place][level_text(value)] += 1
    return counts


def _all_numbers(columns: Iterable[pa.ChunkedArray]) -> Sequence[Floats] | None:
    """Return the columns as numbers; None if one is of levels."""
    found = [_floats(column) for column in columns]
    return None if any(one is None for one in found) else [one for one in found if one is not None]


def _floats(column: pa.ChunkedArray) -> Floats | None:
    kind = column.type
    if pa.types.is_boolean(kind) or pa.types.is_string(kind):
        return None
    if pa.types.is_timestamp(kind):
        column, scale = column.cast(pa.int64()), _SECOND_US
    elif pa.types.is_date(kind):
        column, scale = column.cast(pa.int32()), 1
    else:
        scale = 1
    values: Floats = column.cast(pa.float64(), safe=False).to_numpy()
    return values / scale


def _times(column: pa.ChunkedArray) -> Integers:
    """Return microseconds; a row without a time stands at the first one's."""
    whole = column.cast(pa.int64())
    first = pc.min(whole).as_py() or 0
    times: Integers = pc.fill_null(whole, first).to_numpy()
    return times
