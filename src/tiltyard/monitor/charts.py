"""Series as panels of a chart: history and live data on one axis where both have times."""

from collections.abc import Iterable, Sequence
from typing import Any

from tiltyard.monitor.source import Look
from tiltyard.monitor.variables import NUMBER, SHARE, unit_of
from tiltyard.monitor.wording import count
from tiltyard.types.monitor import Axis, Line, Resolution, Series, Source

MICROSECONDS = 1e6
_EVERY = {Resolution.MINUTE: "minute", Resolution.HOUR: "hour", Resolution.DAY: "day"}
_WHERE = {Source.HISTORY: "history", Source.LIVE: "live"}

NO_MODEL = (
    "There is no model yet. A scientist makes one: `tiltyard run prepare …`, then "
    "`tiltyard run train …`."
)
NO_VERSION = "This model has no version yet. A scientist trains one: `tiltyard run train {model}`."
NO_DATA = (
    "There is nothing to draw: this version was logged without its history, and no call has come. "
    "Applications call the gateway."
)

Panel = dict[str, Any]
"""``key`` (another one is another chart), ``title``, ``note``, ``time`` (whether x are seconds
since 1970), ``unit`` of y (``number``, ``share``, ``time`` or ``date``), ``split`` (where live
data begin, or None), ``names`` of the lines, in the order of their colours, and ``parts``: each
``past``, ``x`` and ``lines`` (``name``, ``y``, ``low``, ``high``)."""


def nothing(look: Look) -> str:
    """Return what to say where there is nothing to draw."""
    if look.overview is None:
        return NO_MODEL
    return NO_DATA if look.version else NO_VERSION.format(model=look.overview.model.name)


def panels(look: Look) -> list[Panel]:
    """Return the panels to draw: one where history and live data share an axis of time."""
    history, live = _drawn(look.history), _drawn(look.live)
    if history and look.start and history.axis is Axis.TIME:
        history = _drawn(_since(history, int(look.start.timestamp() * MICROSECONDS)))
    parts = [series for series in (history, live) if series]
    if len({series.axis for series in parts}) == 1 and parts[0].axis is Axis.TIME:
        return [_panel(look, parts)]
    return [_panel(look, [series]) for series in parts]


def _drawn(series: Series | None) -> Series | None:
    return series if series is not None and series.at else None


def _since(series: Series, start: int) -> Series:
    """Return the points of a window."""
    kept = [i for i, at in enumerate(series.at) if at >= start]

    def only(values: Sequence[Any] | None) -> tuple[Any, ...] | None:
        return None if values is None else tuple(values[i] for i in kept)

    lines = [
        line.model_copy(
            update={"value": only(line.value), "low": only(line.low), "high": only(line.high)}
        )
        for line in series.lines
    ]
    return series.model_copy(update={"at": only(series.at), "lines": tuple(lines)})


def _panel(look: Look, parts: Sequence[Series]) -> Panel:
    first, is_time = parts[0], parts[0].axis is Axis.TIME
    model = None if look.overview is None else look.overview.model
    unit = NUMBER if model is None else unit_of(model, first.variable)
    is_target = model is not None and first.variable == model.call_schema.target
    live = [series.at[0] for series in parts if series.source is Source.LIVE]
    sources = "+".join(series.source for series in parts)
    return {
        "key": f"{first.model}/{first.version}/{first.variable}/{look.choice.window}/{sources}",
        "title": f"{first.variable}: predicted and actual" if is_target else first.variable,
        "note": _sentence("; ".join(_note(series, unit) for series in parts)),
        "time": is_time,
        "unit": unit,
        "split": live[0] / MICROSECONDS if live and is_time else None,
        "names": list(dict.fromkeys(line.name for series in parts for line in series.lines)),
        "parts": [_part(series, is_time=is_time) for series in parts],
    }


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _note(series: Series, unit: str) -> str:
    rows, where = count(series.rows, "row"), _WHERE[series.source]
    shares = unit == SHARE
    if series.resolution is Resolution.ROW:
        return f"{where}: each of {rows}"
    if series.resolution is Resolution.SAMPLED:
        how = "shares in blocks of" if shares else f"{len(series.at):,} that show the extremes of"
        return f"{where}: {how} {rows}"
    what = "shares" if shares else "means and range"
    return f"{where}: {what} by {_EVERY[series.resolution]} of {rows}"


def _part(series: Series, *, is_time: bool) -> dict[str, Any]:
    return {
        "past": series.source is Source.HISTORY,
        "x": [at / MICROSECONDS for at in series.at] if is_time else list(series.at),
        "lines": [_line(line) for line in series.lines],
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "name": line.name,
        "y": _short(line.value),
        "low": None if line.low is None else _short(line.low),
        "high": None if line.high is None else _short(line.high),
    }


def _short(values: Iterable[float | None]) -> list[float | None]:
    """Return numbers as a chart needs them; their last digits would be half of what is sent."""
    return [None if value is None else float(f"{value:.7g}") for value in values]
