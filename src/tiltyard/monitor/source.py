"""What one refresh of the page needs, asked of control in one place."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tiltyard.client.control import ControlClient
from tiltyard.errors import NotFoundError
from tiltyard.types.monitor import Overview, Series
from tiltyard.types.registry import Model, Principal

POINTS = 500
"""Of a series: rows beyond that are drawn as means, which can be read."""

WINDOWS = {
    "all": ("All live data", None),
    "30d": ("Last 30 days", timedelta(days=30)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "24h": ("Last 24 hours", timedelta(hours=24)),
}
"""Ranges of event times that end at the newest event: name and length."""


@dataclass(frozen=True)
class Choice:
    """What the page shows.

    Attributes:
        model: empty for the first one there is.
        version: None for the champion.
        variable: empty for the target: predicted and actual.
        window: a key of ``WINDOWS``.
    """

    model: str = ""
    version: int | None = None
    variable: str = ""
    window: str = "all"


@dataclass(frozen=True)
class Look:
    """What control answered.

    Attributes:
        models: all there are.
        overview: of the model looked at; None when there is no model.
        version: that is looked at; None when the model has none.
        history: series of the version's history; None when it has none.
        live: series of the live data.
        hold_out: the version's metrics on its hold-out.
        whole: on its whole history; empty without one.
        metrics: version → ``MetricsReport`` over the window, as a dictionary.
    """

    models: tuple[Model, ...]
    choice: Choice
    me: Principal
    overview: Overview | None = None
    version: int | None = None
    history: Series | None = None
    live: Series | None = None
    hold_out: dict[str, Any] | None = None
    whole: dict[str, Any] | None = None
    metrics: dict[int, dict[str, Any]] | None = None


def look(client: ControlClient, choice: Choice) -> Look:
    """Ask control for all that a choice shows.

    What is gone meanwhile is replaced by the default: the first model, the champion, the target.
    """
    models, me = tuple(client.models()), client.me()
    if not models:
        return Look(models, choice, me)
    names = [model.name for model in models]
    name = choice.model if choice.model in names else names[0]
    overview = client.overview(name)
    known = [version.version for version in overview.versions]
    version = choice.version if choice.version in known else overview.model.champion
    version = version or max(known, default=None)
    variable = _variable(overview.model, choice.variable)
    shown = Choice(
        name, choice.version if choice.version in known else None, variable, choice.window
    )
    if version is None:
        return Look(models, shown, me, overview)
    start = _start(overview.newest, choice.window)
    deployed = {standing.version for standing in overview.standings} | {version}
    return Look(
        models,
        shown,
        me,
        overview,
        version,
        history=_history(client, name, version, variable or overview.model.call_schema.target),
        live=client.series(
            name,
            variable or overview.model.call_schema.target,
            version=version,
            start=start,
            points=POINTS,
        ),
        hold_out=next(v for v in overview.versions if v.version == version).manifest.metrics,
        whole=_whole(client, name, version),
        metrics={
            one: client.metrics(name, version=one, start=start, basis="summaries")
            for one in sorted(deployed)
        },
    )


def _variable(model: Model, wanted: str) -> str:
    return wanted if wanted in [column.name for column in model.call_schema.columns] else ""


def _start(newest: datetime | None, window: str) -> datetime | None:
    _, length = WINDOWS[window]
    return None if newest is None or length is None else newest - length


def _history(client: ControlClient, model: str, version: int, variable: str) -> Series | None:
    try:
        return client.series(model, variable, version=version, source="history", points=POINTS)
    except NotFoundError:  # logged without predictions, or before the column was there
        return None


def _whole(client: ControlClient, model: str, version: int) -> dict[str, Any]:
    try:
        found: dict[str, Any] = client.metrics(model, version=version, source="history")["metrics"]
    except NotFoundError:
        return {}
    return found
