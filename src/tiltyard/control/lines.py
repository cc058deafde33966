"""Lines of a chart from numbers, buckets of numbers, and shares of levels."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from tiltyard.types.monitor import Line

if TYPE_CHECKING:
    from tiltyard.evaluation.moments import Moments

MOST_LINES = 8
OTHER = "other"


def number_line(name: str, values: Iterable[float]) -> Line:
    """Return a line of single numbers; what is not finite is a gap."""
    return Line(name=name, value=finite(values))


def finite(values: Iterable[float]) -> tuple[float | None, ...]:
    """Return values with None for what is not finite."""
    return tuple(value if math.isfinite(value) else None for value in values)


def bucket_line(name: str, found: "Sequence[Moments]") -> Line:
    """Return a line of means between least and greatest values; an empty bucket is a gap."""
    return Line(
        name=name,
        value=tuple(m.total / m.n if m.n else None for m in found),
        low=tuple(m.minimum for m in found),
        high=tuple(m.maximum for m in found),
    )


def share_lines(counts: Sequence[Mapping[str, int]], prefix: str = "") -> tuple[Line, ...]:
    """Return a line for each level: its share of what a bucket counts.

    At most eight: the most frequent levels, and the others as one. Of the two levels of a bool
    one line says all.

    Args:
        counts: of each bucket, level → how often.
        prefix: of the lines' names.
    """
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    if set(total) <= {"true", "false"}:
        names = ["true"]
    else:
        names = [level for level, _ in total.most_common(MOST_LINES)]
    lines = [_share(prefix + name, [one.get(name, 0) for one in counts], counts) for name in names]
    if rest := [name for name in total if name not in names and names != ["true"]]:
        others = [sum(one.get(name, 0) for name in rest) for one in counts]
        lines.append(_share(prefix + OTHER, others, counts))
    return tuple(lines)


def _share(name: str, parts: Sequence[int], counts: Sequence[Mapping[str, int]]) -> Line:
    wholes = [sum(one.values()) for one in counts]
    shares = (part / n if n else None for part, n in zip(parts, wholes, strict=True))
    return Line(name=name, value=tuple(shares))
