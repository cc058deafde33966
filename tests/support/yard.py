"""A small model and its versions, for tests of the worker and of the whole."""

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from support import hazard
from tiltyard.packaging.build import build_version
from tiltyard.packaging.options import Options
from tiltyard.types.registry import VersionManifest
from tiltyard.types.routes import VersionRoute

MODEL = "yard"
TARGET = "speed"
LEVELS = ("dawn", "noon", "dusk", "night")


def history(rows: int = 400, seed: int = 7) -> pd.DataFrame:
    """Return x, y with gaps, part of the day, and speed."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(-3, 3, rows), rng.normal(0, 1, rows)
    part = rng.choice(LEVELS, rows)
    speed = 3 * x + 2 * y + 5 * (part == "noon") + rng.normal(0, 0.5, rows)
    gaps = np.where(rng.random(rows) < 0.1, np.nan, y)
    parts = pd.Categorical(part, categories=LEVELS)
    return pd.DataFrame({"x": x, "y": gaps, "part": parts, TARGET: speed})


def build(folder: Path, version: int) -> VersionManifest:
    """Build one of the versions.

    1 takes everything; 2 was trained without gaps in y, so it refuses null; 3 never saw the
    night and refuses it; 4 ends its scorer when x is 666, and raises when it is 13.
    """
    frame = history()
    options = Options(model=MODEL, target=TARGET)
    if version == 2:
        frame = frame.dropna(subset=["y"])
    if version == 3:
        frame = frame[frame["part"] != "night"].copy()
        frame["part"] = frame["part"].cat.remove_unused_categories()
        options = replace(options, unknown_levels={"part": "refuse"})
    if version == 4:
        options = replace(options, code=[hazard])
    return build_version(folder, _estimator(version), frame, options)


def _estimator(version: int) -> Any:
    numbers: Any = SimpleImputer()
    if version == 4:
        numbers = make_pipeline(FunctionTransformer(hazard.stumble), SimpleImputer())
    final = {
        1: LinearRegression(),
        2: RandomForestRegressor(n_estimators=10, random_state=0, max_depth=6),
        3: Ridge(alpha=1.0),
        4: LinearRegression(),
    }[version]
    columns = ColumnTransformer(
        [
            ("numbers", numbers, ["x", "y"]),
            ("part", OneHotEncoder(handle_unknown="ignore"), ["part"]),
        ]
    )
    return make_pipeline(columns, final)


class Versions:
    """Folders and manifests of the versions above, built when asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._manifests: dict[int, VersionManifest] = {}

    def folder(self, version: int) -> Path:
        """Return a version's folder."""
        folder = self._folder / f"v{version}"
        if version not in self._manifests:
            self._manifests[version] = build(folder, version)
        return folder

    def manifest(self, version: int) -> VersionManifest:
        """Return a version's manifest."""
        self.folder(version)
        return self._manifests[version]


class ScorerProcess:
    """A real scorer of a version's folder, which a test may kill and start again."""

    def __init__(self, folder: Path, socket: Path, version: int) -> None:
        self.version = version
        self.socket = socket
        self.folder = folder
        self.starts = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it listens."""
        command = [sys.executable, "-m", "tiltyard.scoring", "--engine", "sklearn"]
        places = ["--folder", str(self.folder), "--socket", str(self.socket)]
        self.socket.unlink(missing_ok=True)
        self._process = subprocess.Popen([*command, *places, "--version", str(self.version)])
        self.starts += 1
        end = time.monotonic() + 30
        while not self.socket.exists():
            assert self._process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)

    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def freeze(self) -> None:
        """Stop it without ending it; only a kill ends that."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)


def route_of(manifest: VersionManifest, version: int, *sockets: Path) -> VersionRoute:
    """Return the route of a version whose scorers listen on these sockets."""
    return VersionRoute(
        version=version,
        deployment=f"d{version}",
        signature=manifest.signature,
        endpoints=tuple(f"unix:{socket}" for socket in sockets),
    )
