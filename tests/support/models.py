"""Small real versions for tests and benchmarks: frames, estimators, folders, rows."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tiltyard.packaging.build import build_version
from tiltyard.packaging.options import Options
from tiltyard.types.registry import VersionManifest

Kind = Literal["logistic", "forest", "mixed"]

FEATURES = 30
START = datetime(2011, 1, 1, tzinfo=UTC)


class Recipe(NamedTuple):
    """What a version of a kind is made of."""

    estimator: Any
    frame: pd.DataFrame
    options: Options


def build_version_folder(kind: Kind, into: Path, model: str | None = None) -> VersionManifest:
    """Write a version's folder.

    Args:
        kind: ``logistic``: standardised logistic regression of 30 float columns, 2 classes;
            ``forest``: 100 trees on the same; ``mixed``: a regression on columns of all types.
        into: the folder; must not exist, its parent must.
        model: its name; by default the kind.
    """
    recipe = RECIPES[kind](model or kind)
    return build_version(into, recipe.estimator, recipe.frame, recipe.options)


def wide_frame(rows: int = 600, seed: int = 1) -> pd.DataFrame:
    """Return 30 float columns ``f0`` … and the target ``y`` (0 or 1)."""
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(rows, FEATURES))
    frame = pd.DataFrame(matrix, columns=[f"f{i}" for i in range(FEATURES)])
    noise = random.normal(size=rows)
    frame["y"] = (matrix[:, 0] + matrix[:, 1] * matrix[:, 2] + noise > 0).astype(int)
    return frame


def mixed_frame(rows: int = 300, seed: int = 2) -> pd.DataFrame:
    """Return columns of several types, hourly times ``at`` and a numeric target ``rentals``."""
    random = np.random.default_rng(seed)
    hour = random.integers(0, 24, rows)
    weather = random.choice(["clear", "cloudy", "rain"], rows)
    temperature = random.normal(15, 8, rows)
    dry = weather != "rain"
    return pd.DataFrame(
        {
            "at": pd.Series([START + timedelta(hours=i) for i in range(rows)]).dt.as_unit("us"),
            "hour": hour,
            "weather": weather,
            "holiday": random.random(rows) < 0.1,
            "temperature": temperature,
            "rentals": 20 + 3 * temperature + 30 * dry + 2 * hour + random.normal(0, 5, rows),
        }
    )


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame's rows as an application would hold them."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def mixed_pipeline() -> Pipeline:
    """Return a linear regression on one-hot levels and standardised numbers."""
    columns = ColumnTransformer(
        [
            ("levels", OneHotEncoder(handle_unknown="ignore"), ["weather"]),
            ("numbers", StandardScaler(), ["hour", "temperature"]),
            ("flags", "passthrough", ["holiday"]),
        ]
    )
    return make_pipeline(columns, LinearRegression())


def _logistic(model: str) -> Recipe:
    estimator = make_pipeline(StandardScaler(), LogisticRegression())
    return Recipe(estimator, wide_frame(), Options(model=model, target="y"))


def _forest(model: str) -> Recipe:
    forest = RandomForestClassifier(n_estimators=100, max_depth=8, random_state=3)
    return Recipe(forest, wide_frame(), Options(model=model, target="y", holdout=0))


def _mixed(model: str) -> Recipe:
    options = Options(model=model, target="rentals", event_time="at")
    return Recipe(mixed_pipeline(), mixed_frame(), options)


RECIPES: dict[Kind, Callable[[str], Recipe]] = {
    "logistic": _logistic,
    "forest": _forest,
    "mixed": _mixed,
}
