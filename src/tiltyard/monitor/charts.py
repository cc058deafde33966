"""Series as panels of a chart: history and live data on one axis where both have times."""

from collections.abc import Sequence
from typing import Any

from tiltyard.monitor.source import Look
from tiltyard.monitor.wording import count
from tiltyard.types.monitor import Axis, Line, Resolution, Series, Source

MICROSECONDS = 1e6
_MEANS = {
    Resolution.MINUTE: "means by minute",
    Resolution.HOUR: "means by hour",
    Resolution.DAY: "means by day",
    Resolution.ROW: "each row",
    Resolution.SAMPLED: "rows that show the extremes",
}
_WHERE = {Source.HISTORY: "history", Source.LIVE: "live"}

Panel = dict[str, Any]
"""``title``, ``note``, ``time`` (whether x are seconds since 1970), ``x``, ``split`` (where live
data begin, or None) and ``lines`` (``name``, ``past``, ``slot``, ``y``, ``low``, ``high``)."""


def panels(look: Look) -> list[Panel]:
    """Return the panels to draw: one where history and live data share an axis of time."""
    parts = [series for series in (look.history, look.live) if series is not None and series.at]
    if not parts:
        return []
    if len({series.axis for series in parts}) == 1 and parts[0].axis is Axis.TIME:
        return [_panel(parts)]
    return [_panel([series]) for series in parts]


def _panel(parts: Sequence[Series]) -> Panel:
    points = sorted({at for series in parts for at in series.at})
    place = {at: i for i, at in enumerate(points)}
    slots = _slots(parts)
    lines = [
        _line(series, line, place, slots[line.name]) for series in parts for line in series.lines
    ]
    is_time = parts[0].axis is Axis.TIME
    live = [series.at[0] for series in parts if series.source is Source.LIVE]
    return {
        "title": _title(parts[0]),
        "note": "; ".join(_note(series) for series in parts),
        "time": is_time,
        "x": [at / MICROSECONDS for at in points] if is_time else points,
        "split": live[0] / MICROSECONDS if live and is_time else None,
        "lines": lines,
    }


def _title(series: Series) -> str:
    names = {line.name for line in series.lines}
    if names == {"predicted", "actual"}:
        return f"{series.variable}: predicted and actual"
    return series.variable


def _note(series: Series) -> str:
    rows = count(series.rows, "row")
    return f"{_WHERE[series.source]}: {_MEANS[series.resolution]} of {rows}"


def _slots(parts: Sequence[Series]) -> dict[str, int]:
    """Return which colour a line has: the same in history and live data."""
    names = dict.fromkeys(line.name for series in parts for line in series.lines)
    return {name: slot for slot, name in enumerate(names)}


def _line(series: Series, line: Line, place: dict[int, int], slot: int) -> dict[str, Any]:
    def spread(values: Sequence[float | None] | None) -> list[float | None] | None:
        if values is None:
            return None
        found: list[float | None] = [None] * len(place)
        for at, value in zip(series.at, values, strict=True):
            found[place[at]] = value
        return found

    return {
        "name": line.name,
        "past": series.source is Source.HISTORY,
        "slot": slot,
        "y": spread(line.value),
        "low": spread(line.low),
        "high": spread(line.high),
    }
