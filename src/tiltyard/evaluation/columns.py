"""Summary of one column: counts, moments, histogram or levels."""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from tiltyard.evaluation.frames import is_missing
from tiltyard.evaluation.moments import Moments, add_counts, merge_moments, moments
from tiltyard.types.schema import ColumnType

_EPOCH = date(1970, 1, 1)


class ColumnSummary(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a column's values.

    Attributes:
        n: values that are there.
        missing: nulls, NaN and what the type cannot hold.
        moments: of numbers; dates as days, times as seconds since 1970 UTC.
        edges: of the histogram, as fixed at training; empty when there is none, or when
            summaries with different edges were merged.
        counts: below the first edge, in each bin, above the last edge: len(edges) + 1 numbers.
            A bin holds its lower edge, the last one its upper edge as well, as NumPy's do.
        levels: of a category, a bool or a class: level → how often.
        other: values of a category that are none of its known levels.
    """

    n: int = 0
    missing: int = 0
    moments: Moments = Moments()
    edges: tuple[float, ...] = ()
    counts: list[int] = []
    levels: dict[str, int] = {}
    other: int = 0


def summarise_column(
    values: Iterable[Any],
    kind: ColumnType,
    *,
    levels: Sequence[str] | None = None,
    edges: Sequence[float] = (),
) -> ColumnSummary:
    """Summarise a column's values.

    Args:
        values: as a row holds them: a date may be ISO text, a time RFC 3339 text.
        kind: the column's type.
        levels: of a category; others are counted together.
        edges: of the histogram, ascending, at least two; without them there is none.
    """
    values = list(values)
    if kind in _NUMBERS:
        return _numeric(values, _NUMBERS[kind], tuple(edges))
    texts = [level_text(value) for value in values if not is_missing(value)]
    missing = len(values) - len(texts)
    if kind is ColumnType.STRING:
        return ColumnSummary(len(texts), missing)
    known = {"false", "true"} if kind is ColumnType.BOOL else set(levels or ())
    found = Counter(text for text in texts if text in known)
    return ColumnSummary(len(texts), missing, levels=dict(found), other=len(texts) - found.total())


def merge_columns(a: ColumnSummary, b: ColumnSummary) -> ColumnSummary:
    """Return the summary of both columns' values."""
    comparable = a.edges == b.edges
    return ColumnSummary(
        n=a.n + b.n,
        missing=a.missing + b.missing,
        moments=merge_moments(a.moments, b.moments),
        edges=a.edges if comparable else (),
        counts=add_counts(a.counts, b.counts) if comparable else [],
        levels=dict(Counter(a.levels) + Counter(b.levels)),
        other=a.other + b.other,
    )


def level_text(value: Any) -> str:
    """Return the text under which a level or class is counted; 1 and 1.0 are the same."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _numeric(
    values: Sequence[Any], number: Callable[[Any], float], edges: tuple[float, ...]
) -> ColumnSummary:
    numbers = [x for x in (_try(number, value) for value in values) if math.isfinite(x)]
    return ColumnSummary(
        len(numbers),
        len(values) - len(numbers),
        moments(numbers),
        edges,
        histogram(numbers, edges),
    )


def histogram(numbers: Iterable[float], edges: Sequence[float]) -> list[int]:
    """Return how many numbers are below the first edge, in each bin, above the last edge."""
    if not edges:
        return []
    counts = [0] * (len(edges) + 1)
    for x in numbers:
        counts[bisect_right(edges, x) - (x == edges[-1])] += 1
    return counts


def _try(number: Callable[[Any], float], value: Any) -> float:
    try:
        return math.nan if value is None else number(value)
    except (ValueError, TypeError, OverflowError):
        return math.nan


def _days(value: Any) -> float:
    day = value if isinstance(value, date) else date.fromisoformat(value)
    return float((day - _EPOCH).days)


def _seconds(value: Any) -> float:
    instant = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return instant.astimezone(UTC).timestamp()


_NUMBERS: dict[ColumnType, Callable[[Any], float]] = {
    ColumnType.INT64: float,
    ColumnType.FLOAT64: float,
    ColumnType.DATE: _days,
    ColumnType.DATETIME: _seconds,
}
