"""A history's rows by the buckets of the live data beside it."""

from collections.abc import Sequence
from itertools import groupby

from tiltyard.types.monitor import Axis, Line, Resolution, Series

_MINUTE_US = 60_000_000
WIDTHS = {
    Resolution.MINUTE: _MINUTE_US,
    Resolution.HOUR: 60 * _MINUTE_US,
    Resolution.DAY: 24 * 60 * _MINUTE_US,
}
"""Microseconds of a bucket."""

_FEW = 500
"""So many rows are read as they are."""


def by_bucket(history: Series, resolution: Resolution) -> Series:
    """Return a history by buckets: means between least and greatest values.

    A history that is short, sampled or without times stays as it is, and so does one beside
    live data that are rows.
    """
    rows = history.resolution is Resolution.ROW and history.axis is Axis.TIME
    if not rows or len(history.at) <= _FEW or resolution not in WIDTHS:
        return history
    width = WIDTHS[resolution]
    starts = [at - at % width for at in history.at]
    groups = [
        (start, [i for i, _ in members])
        for start, members in groupby(enumerate(starts), key=lambda item: item[1])
    ]
    places = [members for _, members in groups]
    return history.model_copy(
        update={
            "resolution": resolution,
            "at": tuple(start for start, _ in groups),
            "lines": tuple(_line(line, places) for line in history.lines),
        }
    )


def _line(line: Line, places: Sequence[Sequence[int]]) -> Line:
    found = [[v for i in place if (v := line.value[i]) is not None] for place in places]
    return Line(
        name=line.name,
        value=tuple(sum(values) / len(values) if values else None for values in found),
        low=tuple(min(values, default=None) for values in found),
        high=tuple(max(values, default=None) for values in found),
    )
