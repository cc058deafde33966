"""Small versions behind a gateway for tests of its documents and of other clients' protocols."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from support.gateway import Gateway, Scorer, make_table, model_route, running, socket_path
from tiltyard.packaging.build import build_version
from tiltyard.packaging.options import Options
from tiltyard.types.registry import VersionManifest
from tiltyard.types.routes import ApplicationToken, ModelRoute
from tiltyard.types.schema import Column, ColumnType

RENTALS = "rentals"
"""Regression of rented bicycles on an hour of the week."""

SPEED = "speed"
"""Classification into ``slow`` and ``fast`` by two numbers."""

IDLE = "idle"
"""Has no champion."""

AWAY = "away"
"""Has a champion whose scorer is not there."""

OTHER_TOKEN = "token of another application"
"""May call IDLE only."""

START = datetime(2011, 1, 1, tzinfo=UTC)
ROW: dict[str, Any] = {
    "hour": "2011-04-01T08:00:00Z",
    "temp": 0.34,
    "weathersit": "clear",
    "holiday": 0,
}
EXTRA = (
    Column(name="hour", type=ColumnType.DATETIME, description="Start of the hour."),
    Column(name="windspeed", type=ColumnType.FLOAT64, nullable=True, unit="m/s"),
    Column(name="station", type=ColumnType.STRING, nullable=True),
    Column(name="day", type=ColumnType.DATE, nullable=True),
    Column(name="dry", type=ColumnType.BOOL, nullable=True),
)
"""Columns of the call schema that the version does not use."""


@contextmanager
def rentals_gateway(folder: Path, **environment: str) -> Iterator[Gateway]:
    """Run a gateway that serves all of these models.

    Args:
        folder: where everything is kept; must exist.
        environment: of the gateway, beyond the usual.
    """
    scorers, routes = [], []
    for number, manifest in enumerate(_build(folder), 1):
        version = folder / manifest.model
        scorers.append(Scorer(version, "sklearn", socket_path(version)))
        routes.append(_route(manifest, number, scorers[-1].endpoint))
    rentals = routes[0]
    away = _route(manifest_of(folder), 4, f"unix:{folder}/nobody.sock")
    idle = rentals.model_copy(update={"name": IDLE, "number": 3, "champion": None})
    routes += [idle, away.model_copy(update={"name": AWAY})]
    other = ApplicationToken(
        sha256=hashlib.sha256(OTHER_TOKEN.encode()).hexdigest(), name="other", models=(IDLE,)
    )
    table = make_table(*routes)
    table = table.model_copy(update={"tokens": (*table.tokens, other)})
    home = folder / "home"
    home.mkdir()
    try:
        with running(home, table, *scorers, **environment) as gateway:
            yield gateway
    finally:
        for scorer in scorers:
            scorer.path.unlink(missing_ok=True)


def manifest_of(folder: Path) -> VersionManifest:
    """Return the manifest of RENTALS that was built below this folder."""
    return VersionManifest.model_validate_json((folder / RENTALS / "version.json").read_bytes())


def _build(folder: Path) -> list[VersionManifest]:
    random = np.random.default_rng(8)
    n = 200
    temp, weather = random.random(n), random.choice(["clear", "mist", "rain"], n)
    holiday = random.integers(0, 2, n)
    hours = pd.Series([START + timedelta(hours=i) for i in range(n)]).dt.as_unit("us")
    rentals = pd.DataFrame({"hour": hours, "temp": temp, "weathersit": weather})
    rentals = rentals.assign(holiday=holiday, cnt=300 * temp - 40 * holiday + random.random(n))
    levels = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["weathersit"]), remainder="passthrough"
    )
    regression = Options(
        model=RENTALS,
        target="cnt",
        event_time="hour",
        unknown_levels={"weathersit": "refuse"},
    )
    speed = pd.DataFrame({"power": random.random(n), "weight": random.random(n)})
    speed = speed.assign(label=np.where(speed["power"] > speed["weight"], "fast", "slow"))
    classification = Options(model=SPEED, target="label")
    return [
        build_version(
            folder / RENTALS, make_pipeline(levels, LinearRegression()), rentals, regression
        ),
        build_version(folder / SPEED, LogisticRegression(), speed, classification),
    ]


def _route(manifest: VersionManifest, number: int, endpoint: str) -> ModelRoute:
    if manifest.model == SPEED:
        return model_route(manifest, [endpoint], number=number)
    return model_route(manifest, [endpoint], number=number, event_time="hour", extra=EXTRA)
