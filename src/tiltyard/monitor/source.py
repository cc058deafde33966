"""What one refresh of the page needs, asked of control in one place."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from tiltyard.client.control import ControlClient
from tiltyard.errors import NotFoundError
from tiltyard.monitor.variables import SHARE, unit_of
from tiltyard.types.monitor import Overview, Series
from tiltyard.types.registry import Model, Principal, Version

T = TypeVar("T")

WINDOWS = {
    "all": ("All", None),
    "30d": ("Last 30 days", timedelta(days=30)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "24h": ("Last 24 hours", timedelta(hours=24)),
}
"""Ranges of event times that end at the newest event: name and length."""

POINTS, SHARES = 500, 200
"""Of a series: rows beyond that are drawn as means, which can be read; a share needs rows
behind it."""

_AT_ONCE = 4
_KEPT = 32


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
        start: of the window; None for all.
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
    start: datetime | None = None
    history: Series | None = None
    live: Series | None = None
    hold_out: dict[str, Any] | None = None
    whole: dict[str, Any] | None = None
    metrics: dict[int, dict[str, Any]] | None = None

    @property
    def seen(self) -> Version | None:
        """The version that is looked at, with its manifest."""
        found = () if self.overview is None else self.overview.versions
        return next((one for one in found if one.version == self.version), None)


class Source:
    """Asks control, several questions at once; what never changes only once.

    Args:
        client: control, as the visitor.
    """

    def __init__(self, client: ControlClient) -> None:
        self.client = client
        self._pool = ThreadPoolExecutor(_AT_ONCE, "control")
        self._kept: dict[tuple[Any, ...], Any] = {}

    def begin(self, choice: Choice) -> Future[Look]:
        """Look in a thread of its own."""
        pool = ThreadPoolExecutor(1, "look")
        try:
            return pool.submit(self.look, choice)
        finally:
            pool.shutdown(wait=False)

    def look(self, choice: Choice) -> Look:
        """Ask control for all that a choice shows.

        What is gone meanwhile is replaced by the default: the first model, the champion, the
        target.

        Raises:
            TiltyardError: control did not answer one of the questions.
        """
        models, me = self._pool.submit(self.client.models), self._pool.submit(self.client.me)
        names = [model.name for model in models.result()]
        if not names:
            return Look((), choice, me.result())
        name = choice.model if choice.model in names else names[0]
        overview = self.client.overview(name)
        shown = _possible(overview, name, choice)
        version = shown.version or overview.model.champion
        version = version or max((v.version for v in overview.versions), default=None)
        common = Look(tuple(models.result()), shown, me.result(), overview, version)
        return common if version is None else self._filled(common, overview, version)

    def _filled(self, common: Look, overview: Overview, version: int) -> Look:
        name = overview.model.name
        variable = common.choice.variable or overview.model.call_schema.target
        start = _start(overview.newest, common.choice.window)
        points = SHARES if unit_of(overview.model, variable) == SHARE else POINTS
        live = self._pool.submit(
            self.client.series, name, variable, version=version, start=start, points=points
        )
        reports: dict[int, Future[dict[str, Any]]] = {
            one: self._pool.submit(
                self.client.metrics, name, version=one, start=start, basis="summaries"
            )
            for one in sorted({s.version for s in overview.standings} | {version})
        }
        manifest = next(v for v in overview.versions if v.version == version).manifest
        return Look(
            common.models,
            common.choice,
            common.me,
            overview,
            version,
            start,
            self._history(overview.model, version, variable, points),
            live.result(),
            manifest.metrics,
            manifest.history_metrics or self._whole(name, version),
            {one: report.result() for one, report in reports.items()},
        )

    def _history(self, model: Model, version: int, variable: str, points: int) -> Series | None:
        ask = partial(
            self.client.series,
            model.name,
            variable,
            version=version,
            source="history",
            points=points,
        )
        # Its rows never change; which column is its time may come to be known.
        event_time = model.call_schema.event_time
        return self._once(("series", model.name, version, variable, event_time), ask)

    def _whole(self, model: str, version: int) -> dict[str, Any]:
        ask = partial(self.client.metrics, model, version=version, source="history")
        report = self._once(("metrics", model, version), ask)
        metrics: dict[str, Any] = (report or {}).get("metrics", {})
        return metrics

    def _once(self, key: tuple[Any, ...], ask: Callable[[], T]) -> T | None:
        """Ask, or return what was answered before; None for what there is not."""
        if key not in self._kept:
            try:
                answer = ask()
            except NotFoundError:  # logged without predictions, or before the column was there
                answer = None
            if len(self._kept) >= _KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = answer
        kept: T | None = self._kept[key]
        return kept


def _possible(overview: Overview, name: str, choice: Choice) -> Choice:
    known = [version.version for version in overview.versions]
    columns = [column.name for column in overview.model.call_schema.columns]
    return Choice(
        name,
        choice.version if choice.version in known else None,
        choice.variable if choice.variable in columns else "",
        choice.window if choice.window in WINDOWS else "all",
    )


def _start(newest: datetime | None, window: str) -> datetime | None:
    _, length = WINDOWS[window]
    return None if newest is None or length is None else newest - length
