"""What does a refresh of the Monitor cost control, at how many live rows?

``python benchmarks/refresh.py [--rows 10000 100000 1000000] [--every 10] [--repeat 15]``

A real control over a SQLite store, filled through the store and the summariser: one prediction
each ``--every`` seconds, its actual a moment later, and a challenger that has scored all of it.
Each call goes over HTTP; medians and the slowest are shown, in milliseconds. ``refresh`` is
all that the page asks for (``tiltyard.monitor.source.look``).
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from support.control import (  # noqa: E402  the tests' control
    Control,
    bikes_frame,
    deploy,
    make_home,
    serve,
    summarise,
    tar_of,
    version_folder,
    write_bikes,
)
from tiltyard.monitor.source import Choice, look  # noqa: E402  after the path
from tiltyard.registry.clock import microseconds  # noqa: E402  likewise
from tiltyard.stores.base import follow_task, relay_task  # noqa: E402  likewise
from tiltyard.types.records import ActualRecord, LogRecord, PredictionRecord, Score  # noqa: E402  likewise

START = datetime(2024, 2, 1, tzinfo=UTC)
BATCH = 2_000
HISTORY = 20_000


def values(rows: int) -> np.ndarray[Any, Any]:
    """Return prediction, actual, the challenger's prediction and temperature of each row."""
    rng = np.random.default_rng(3)
    truth = rng.normal(100, 20, rows)
    errors = rng.normal(0, 5, (2, rows))
    return np.array([truth + errors[0], truth, truth + errors[1], rng.normal(15, 8, rows)]).T


def records(rows: int, every_us: int) -> Iterator[list[LogRecord]]:
    """Yield batches of predictions of version 1 with their actuals."""
    batch: list[LogRecord] = []
    for i, (made, actual, _, temperature) in enumerate(values(rows).tolist()):
        at, seq = microseconds(START) + i * every_us, 2 * i + 1
        row = {"temperature": temperature, "weather": ("sun", "rain")[i % 2]}
        batch += [
            PredictionRecord(1, seq, "bikes", i + 1, at, at, 1, row, made, None),
            ActualRecord(1, seq + 1, "bikes", 0, at, 1, seq, actual, at),
        ]
        if len(batch) >= BATCH:
            yield batch
            batch = []
    yield batch


def fill(control: Control, rows: int, every_s: int) -> None:
    """Log, score and summarise so many rows."""
    store = control.parts.store
    relay = store.acquire(relay_task(1), "benchmark", 36_000)
    follower = store.acquire(follow_task("bikes", 2), "benchmark", 36_000)
    assert relay is not None
    assert follower is not None
    rivals = iter(values(rows)[:, 2].tolist())
    for batch in records(rows, every_s * 1_000_000):
        if not batch:
            continue
        store.append(relay, 1, batch)
        made = [record for record in batch if isinstance(record, PredictionRecord)]
        scores = [Score(r.gateway, r.seq, next(rivals)) for r in made]
        store.write_scores(follower, "bikes", 2, scores, {1: batch[-1].seq})
    store.release(relay)
    store.release(follower)
    summarise(control)


def questions(control: Control, rows: int, every_s: int) -> dict[str, Callable[[], object]]:
    """Return what is measured, by name."""
    client = control.client("viewer")
    end = START + timedelta(seconds=rows * every_s)
    odd = {
        "start": START + (end - START) * 0.1 + timedelta(minutes=7),
        "end": end - timedelta(minutes=3),
    }
    week = {"start": end - timedelta(days=7)}
    return {
        "overview": lambda: client.overview("bikes"),
        "series, target, all": lambda: client.series("bikes", "bikers", points=500),
        "series, target, 7 d": lambda: client.series("bikes", "bikers", points=500, **week),
        "series, column, all": lambda: client.series("bikes", "temperature", points=500),
        "series, column, 2,000 points": lambda: client.series("bikes", "temperature"),
        "series, category, all": lambda: client.series("bikes", "weather", points=500),
        "series, history": lambda: client.series("bikes", "bikers", source="history", points=500),
        "metrics, all": lambda: client.metrics("bikes", basis="summaries"),
        "metrics, odd window": lambda: client.metrics("bikes", basis="summaries", **odd),
        "metrics, challenger": lambda: client.metrics("bikes", version=2, basis="summaries"),
        "refresh": lambda: look(client, Choice()),
        "metrics from rows": lambda: client.metrics("bikes"),
    }


def measure(ask: Callable[[], object], repeat: int) -> tuple[float, float, float]:
    """Return the first, the median and the longest of the others, in milliseconds."""
    took = []
    for _ in range(repeat + 1):
        begun = time.perf_counter()
        ask()
        took.append(1000 * (time.perf_counter() - begun))
    return took[0], statistics.median(took[1:]), max(took[1:])


def run(rows: int, every_s: int, repeat: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = make_home(Path(folder) / "home")
        with serve(settings) as control:
            prepare(control, Path(folder))
            begun = time.perf_counter()
            fill(control, rows, every_s)
            size = sum(f.stat().st_size for f in settings.home.glob("store.db*")) / 1e6
            took = time.perf_counter() - begun
            print(f"\n{rows:,} rows, a row each {every_s} s: filled in {took:.0f} s, {size:.0f} MB")
            print(f"{'ms':>32} {'first':>8} {'median':>8} {'longest':>8}")
            for name, ask in questions(control, rows, every_s).items():
                times = 1 if name == "metrics from rows" else repeat
                first, median, longest = measure(ask, times)
                print(f"{name:>32} {first:8.1f} {median:8.1f} {longest:8.1f}", flush=True)


def prepare(control: Control, folder: Path) -> None:
    """Make version 1 champion and version 2 challenger, both with predictions of a history."""
    digest = write_bikes(control, bikes_frame(HISTORY))
    made = pa.record_batch({"value": pa.array(10.0 * np.arange(HISTORY) + 1)})
    for version in (1, 2):
        path = version_folder(folder / str(version), history=digest, metrics={"rmse": version})
        client = control.client("scientist")
        client.add_version("bikes", tar_of(path), (made.schema, [made]))
    deploy(control, 1, 2)
    control.client("promoter").promote("bikes", 1, None, "first")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--every", type=int, default=10, help="seconds between two rows")
    parser.add_argument("--repeat", type=int, default=15)
    given = parser.parse_args()
    for rows in given.rows:
        run(rows, given.every, given.repeat)


if __name__ == "__main__":
    main()
