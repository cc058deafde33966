"""What control tells a dashboard: series for a chart, and where a model stands."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from tiltyard.types.base import Document
from tiltyard.types.registry import Deployment, LedgerEntry, Model, Run, Version


class Source(StrEnum):
    """Whose rows: those of the history, or live ones."""

    HISTORY = "history"
    LIVE = "live"


class Basis(StrEnum):
    """What metrics are computed from: each row, or summaries of them."""

    ROWS = "rows"
    SUMMARIES = "summaries"


class Axis(StrEnum):
    """What ``Series.at`` holds: UTC microseconds, or numbers of rows from 0."""

    TIME = "time"
    ROW = "row"


class Resolution(StrEnum):
    """What a point of a series is: a row, a row chosen to stand for others, or a bucket."""

    ROW = "row"
    SAMPLED = "sampled"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"


class Line(Document):
    """One line of a chart; its lists are as long as ``Series.at``.

    Attributes:
        value: of a row, or a bucket's mean; of a level its share of the rows, 0 to 1. None
            where there is none.
        low: a bucket's least value; None for lines that are no buckets of numbers.
        high: its greatest value.
    """

    name: str
    value: tuple[float | None, ...]
    low: tuple[float | None, ...] | None = None
    high: tuple[float | None, ...] | None = None


class Series(Document):
    """What to draw of a variable.

    Attributes:
        variable: a column of the call schema; or the target, whose lines are ``predicted`` and
            ``actual`` (of classes: the share of each class among both).
        rows: how many rows it stands for.
        at: of each point; of a bucket its start.
    """

    model: str
    version: int
    variable: str
    source: Source
    axis: Axis
    resolution: Resolution
    rows: int
    at: tuple[int, ...]
    lines: tuple[Line, ...]


class MetricsReport(Document):
    """A version's metrics.

    Attributes:
        rows: those with prediction and actual.
        approximate: metric → how far it may be off at most, of those that summaries do not give
            exactly.
    """

    version: int
    source: Source
    metrics: dict[str, Any]
    rows: int
    basis: Basis = Basis.ROWS
    approximate: dict[str, float] = {}


class Standing(Document):
    """A deployed version.

    Attributes:
        behind: rows that it has still to score, counted up to 10,000.
    """

    version: int
    deployment: Deployment
    champion: bool
    behind: int


class Overview(Document):
    """Where a model stands; costs the same however many rows there are.

    Attributes:
        oldest: event time of the first live row; None without live rows.
        newest: of the last one.
        counts: ``predictions``, ``with_actual``, ``unknown_actuals``.
        standings: deployed versions, the champion first, then the newest first.
        runs: the model's last ones, the newest first.
        last_change: the last line of the ledger.
    """

    model: Model
    versions: tuple[Version, ...]
    standings: tuple[Standing, ...]
    oldest: datetime | None
    newest: datetime | None
    counts: dict[str, int]
    runs: tuple[Run, ...]
    last_change: LedgerEntry | None
