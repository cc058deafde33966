"""What must hold after any crash, judged from files: the load's journals and the store's rows."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any

import joblib
import numpy as np
import pandas as pd

from loop.yard import Load, Yard, wait_for
from support.raw import Key, Raw, followed, key_of, read
from support.recompute import Edges, check_summaries
from support.yard import MODEL, TARGET, Versions

SETTLE_S = 240.0

FOLLOWED = (1, 2, 3)


def settle(yard: Yard, load: Load) -> Raw:
    """Wait until relay, followers and summaries have caught up; return the store's rows."""
    store = yard.home / "store.db"
    wait_for(partial(relayed, yard, load), SETTLE_S, "relayed")
    wait_for(partial(followed, store, MODEL, FOLLOWED), SETTLE_S, "followed")
    wait_for(partial(_summarised, yard), SETTLE_S, "summarised")
    return read(store, MODEL)


def relayed(yard: Yard, load: Load) -> bool:
    """Whether the store has all that is durable; the load has ended."""
    acknowledged = load.acknowledged()
    newest = max(key_of(line[0]) for line in acknowledged[-100:])
    for folder in (yard.home / "spool").iterdir():
        durable = int.from_bytes((folder / "durable").read_bytes()[:8], "little")
        mark = folder / "confirmed"
        confirmed = int(mark.read_text()) if mark.exists() else 0
        if confirmed < durable or durable < newest[1]:
            return False
    return True


def _summarised(yard: Yard) -> bool:
    with closing(sqlite3.connect(yard.home / "store.db")) as connection:
        query = "SELECT count(*) FROM chunk WHERE mark > summarised"
        (dirty,) = connection.execute(query).fetchone()
    return not dirty


def lost(acknowledged: Iterable[Sequence[Any]], raw: Raw) -> list[Sequence[Any]]:
    """Return the acknowledged predictions that are not stored as they were answered."""

    def kept(line: Sequence[Any]) -> bool:
        row = raw.predictions.get(key_of(line[0]))
        return row is not None and [row.version, row.value, row.row] == list(line[1:4])

    return [line for line in acknowledged if not kept(line)]


def doubled(acknowledged: Sequence[Sequence[Any]], raw: Raw) -> list[Any]:
    """Return ids that were given twice, and rows that are stored twice; no row is sent twice."""
    ids = Counter(line[0] for line in acknowledged)
    rows = Counter(tuple(row.row.values()) for row in raw.predictions.values())
    return [thing for counter in (ids, rows) for thing, n in counter.items() if n > 1]


def lost_actuals(actuals: Iterable[Sequence[Any]], raw: Raw) -> list[Sequence[Any]]:
    """Return the accepted actuals that are not stored."""
    return [line for line in actuals if raw.actuals.get(key_of(line[0])) != line[1]]


def check_followers(raw: Raw, versions: Versions) -> None:
    """Each version scored each row that it did not answer, once, as its estimator does."""
    for version in FOLLOWED:
        others = {k: r.row for k, r in raw.predictions.items() if r.version != version}
        scores = {(g, s): score for (v, g, s), score in raw.scores.items() if v == version}
        assert scores.keys() == others.keys(), f"version {version}"
        refused = {key for key, score in scores.items() if score["refusal"] is not None}
        assert refused == {k for k, row in others.items() if not _takes(version, row)}
        taken = {key: row for key, row in others.items() if key not in refused}
        made = [scores[key]["value"] for key in taken]
        # A matrix product's last bit depends on how many rows are multiplied at once.
        np.testing.assert_allclose(made, _predicted(versions, version, taken), rtol=1e-12)


def check_kept_summaries(raw: Raw, versions: Versions) -> None:
    """Every summary equals its rows."""
    manifests = {v: versions.manifest(v) for v in FOLLOWED}
    outputs = {v: manifest.histograms[TARGET] for v, manifest in manifests.items()}
    assert check_summaries(raw, Edges(manifests[1].histograms, outputs)) > 0


def _takes(version: int, row: dict[str, Any]) -> bool:
    if version == 2:
        return row["y"] is not None
    return version != 3 or row["part"] != "night"


def _predicted(versions: Versions, version: int, rows: Mapping[Key, dict[str, Any]]) -> list[float]:
    if not rows:
        return []
    estimator = joblib.load(versions.folder(version) / "model.joblib")
    frame = pd.DataFrame(list(rows.values())).astype({"y": "float64"})
    frame["part"] = pd.Categorical(frame["part"])
    values: list[float] = estimator.predict(frame).tolist()
    return values
