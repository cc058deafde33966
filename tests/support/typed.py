"""A version whose calls hold a column of every type, and routes to it."""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from support.gateway import Scorer, make_table, model_route
from tiltyard.packaging.build import build_version
from tiltyard.packaging.options import Options
from tiltyard.types.registry import VersionManifest
from tiltyard.types.routes import ApplicationToken, ModelRoute, RouteTable
from tiltyard.types.schema import Column, ColumnType

MODEL = "typed"
TWIN = "twin"
IDLE = "idle"
AWAY = "away"
OTHERS_TOKEN = "token-of-twin"
WEIRD = "größe 🐎 π].x[0]"
"""A column's name with what names seldom hold."""

COLORS = ("red", "blue")
EXTRA = (
    Column(name="at", type=ColumnType.DATETIME, nullable=True),
    Column(name="seen", type=ColumnType.DATETIME, nullable=True),
    Column(name="day", type=ColumnType.DATE, nullable=True),
    Column(name="note", type=ColumnType.STRING, nullable=True),
)
"""Columns of the call schema that the version does not use."""


class Served(NamedTuple):
    """A version behind a running scorer."""

    manifest: VersionManifest
    folder: Path
    scorer: Scorer
    table: RouteTable


def frame(rows: int = 240, seed: int = 5) -> pd.DataFrame:
    """Return columns of the types that an estimator uses, and the target ``speed``."""
    random = np.random.default_rng(seed)
    size = random.normal(0, 1, rows)
    return pd.DataFrame(
        {
            "flag": random.random(rows) < 0.5,
            "count": random.integers(0, 9, rows),
            "size": size,
            "gap": np.where(random.random(rows) < 0.2, np.nan, size),
            WEIRD: random.normal(0, 1, rows),
            "color": random.choice(COLORS, rows),
            "shape": random.choice(np.array(["round", "flat", None]), rows),
            "finish": random.choice(["matt", "shiny"], rows),
            "speed": 3 * size + random.normal(0, 0.1, rows),
        }
    )


def row(**values: Any) -> dict[str, Any]:
    """Return a good row, with some values replaced."""
    good = {"flag": True, "count": 3, "size": 1.5, WEIRD: 0.5, "color": "red", "finish": "matt"}
    return {**good, "shape": "flat", **values}


def build(folder: Path) -> VersionManifest:
    """Build the version: color refuses unknown levels, shape misses them, finish passes them."""
    estimator = ColumnTransformer(
        [
            ("levels", OneHotEncoder(handle_unknown="ignore"), ["color", "shape", "finish"]),
            ("numbers", SimpleImputer(), ["count", "size", "gap", WEIRD]),
            ("flags", "passthrough", ["flag"]),
        ]
    )
    policies = {"color": "refuse", "shape": "missing", "finish": "pass"}
    options = Options(model=MODEL, target="speed", unknown_levels=policies)
    return build_version(folder, make_pipeline(estimator, LinearRegression()), frame(), options)


def route(manifest: VersionManifest, name: str, number: int, *endpoints: str) -> ModelRoute:
    """Return the route of a model of this version."""
    made = model_route(manifest, endpoints, number=number, event_time="at", extra=EXTRA)
    return made.model_copy(update={"name": name})


def table(manifest: VersionManifest, endpoint: str, nowhere: str) -> RouteTable:
    """Return the routes of the model, its twin, one without champion, one without scorer."""
    made = make_table(
        route(manifest, MODEL, 1, endpoint),
        route(manifest, TWIN, 2, endpoint),
        route(manifest, IDLE, 3),
        route(manifest, AWAY, 4, nowhere),
    )
    digest = hashlib.sha256(OTHERS_TOKEN.encode()).hexdigest()
    other = ApplicationToken(sha256=digest, name="another", models=(TWIN,))
    return made.model_copy(update={"tokens": (*made.tokens, other)})
