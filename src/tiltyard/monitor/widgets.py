"""The page's widgets: each is a view of a few traits, drawn by a script beside it."""

from functools import cache
from pathlib import Path
from typing import Any

import anywidget
import traitlets

STATIC = Path(__file__).with_name("static")


@cache
def script(*names: str) -> str:
    """Return scripts as one module."""
    return "\n".join((STATIC / name).read_text() for name in names)


@cache
def styles() -> str:
    """Return the page's style sheet with that of the chart."""
    return script("vendor/uPlot.min.css", "style.css")


class Header(anywidget.AnyWidget):
    """The page's title, its clock and its alerts.

    The browser keeps the time: it sends ``tick`` when the page is to be refreshed, and waits for
    ``acknowledged`` to change; so nothing runs on when the page is closed.
    ``looks`` counts the refreshes that have ended, well or not.
    """

    _esm = script("dom.js", "header.js")
    _css = styles()
    user = traitlets.Unicode().tag(sync=True)
    alert = traitlets.Unicode().tag(sync=True)
    updated = traitlets.Unicode().tag(sync=True)
    looks = traitlets.Int().tag(sync=True)
    acknowledged = traitlets.Int().tag(sync=True)
    every = traitlets.Float(30.0).tag(sync=True)
    hurry = traitlets.Bool().tag(sync=True)


class Controls(anywidget.AnyWidget):
    """Model, version, variable and window; sends ``choose`` with what was chosen."""

    _esm = script("dom.js", "controls.js")
    fields = traitlets.List(traitlets.Dict()).tag(sync=True)


class Chart(anywidget.AnyWidget):
    """Panels of lines over time."""

    _esm = script("vendor/uPlot.iife.min.js", "dom.js", "chart.js")
    panels = traitlets.List(traitlets.Dict()).tag(sync=True)
    empty = traitlets.Unicode().tag(sync=True)


class Judgement(anywidget.AnyWidget):
    """Metric table, champion and challengers, see ``judgement.shown``."""

    _esm = script("dom.js", "judgement.js")
    shown = traitlets.Dict().tag(sync=True)


class Decisions(anywidget.AnyWidget):
    """Retrain and To Champion; sends ``retrain`` and ``promote``."""

    _esm = script("dom.js", "decisions.js")
    offer = traitlets.Dict().tag(sync=True)
    run = traitlets.Any(default_value=None).tag(sync=True)
    told = traitlets.Dict().tag(sync=True)
    busy = traitlets.Bool().tag(sync=True)


Message = dict[str, Any]
"""What a widget sends: ``kind`` and what belongs to it."""
