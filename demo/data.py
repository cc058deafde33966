"""What production sees: the rows after the history, in their order."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from demo.site import ROOT

DATA = ROOT / "pipelines" / "data"
FIRST_DAY = datetime(2011, 1, 1, tzinfo=UTC)
HISTORY_ENDS = datetime(2011, 4, 1, tzinfo=UTC)
SHUTTLE_HISTORY = 0.6

RIDES = ["season", "weekday", "workingday", "holiday", "weathersit"]
WEATHER = ["temp", "atemp", "hum", "windspeed"]


@dataclass(frozen=True)
class Observation:
    """A row as the application sends it, and what turned out to be true.

    Attributes:
        at: when it happens in the data's own time; None if the data has none.
    """

    row: dict[str, Any]
    actual: int
    at: datetime | None = None


def rides() -> list[Observation]:
    """Return the hours from April to December."""
    frame = pd.read_csv(DATA / "bikeshare.csv.gz").astype({"hr": int})
    return [
        Observation({"hour": at.isoformat(), **_ride(record)}, int(record["bikers"]), at)
        for record in frame.to_dict("records")
        if (at := _hour(record)) >= HISTORY_ENDS
    ]


def readings() -> list[Observation]:
    """Return the sensor readings after the history."""
    frame = pd.read_csv(DATA / "shuttle.csv.gz")
    sensors = [name for name in frame.columns if name != "anomaly"]
    return [
        Observation({name: int(record[name]) for name in sensors}, int(record["anomaly"]))
        for record in frame.iloc[int(len(frame) * SHUTTLE_HISTORY) :].to_dict("records")
    ]


def _hour(record: dict[Any, Any]) -> datetime:
    return FIRST_DAY + timedelta(days=int(record["day"]) - 1, hours=int(record["hr"]))


def _ride(record: dict[Any, Any]) -> dict[str, Any]:
    return {name: record[name] for name in ("hr", *RIDES, *WEATHER)}
