"""The Monitor's page: first widget, and refresh from tick to last draw, by live rows.

``PYTHONPATH=tests python benchmarks/monitor.py [rows …]``: a real store that the real summariser
keeps, a control process, Voila and Chromium. Prints a line for each number of rows; medians.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from playwright.sync_api import Page

from support.browser import chromium
from support.control import (
    Control,
    bikes_frame,
    deploy,
    serve,
    summarise,
    tar_of,
    version_folder,
    write_bikes,
)
from support.page import ControlProcess, Opener, refresh
from tiltyard.registry.clock import microseconds
from tiltyard.stores.base import relay_task
from tiltyard.types.records import ActualRecord, LogRecord, PredictionRecord

BEGIN = microseconds(datetime(2024, 2, 1, tzinfo=UTC))
MINUTE = 60_000_000
BATCH = 5_000
VISITS, REFRESHES = 3, 7
NEW = 60
"""Rows that come before each refresh, so that there is something to draw."""


def records(first: int, end: int) -> Iterator[list[LogRecord]]:
    """Yield rows first … end - 1, one a minute, each with its actual, in batches."""
    rng = np.random.default_rng(first)
    for start in range(first, end, BATCH):
        batch: list[LogRecord] = []
        for i in range(start, min(start + BATCH, end)):
            at, seq = BEGIN + i * MINUTE, 2 * i + 1
            value = 100 + 50 * np.sin(i / 700) + rng.normal(0, 10)
            row = {"temperature": float(i % 40), "weather": "sun", "at": "2024-02-01T00:00:00Z"}
            batch.append(PredictionRecord(1, seq, "bikes", seq, at, at, 1, row, float(value), None))
            actual = float(value + rng.normal(0, 5))
            batch.append(ActualRecord(1, seq + 1, "bikes", seq + 1, at, 1, seq, actual, at))
        yield batch


def grow(control: Control, first: int, end: int) -> None:
    """Bring rows into the log and summarise them."""
    store = control.parts.store
    lease = store.acquire(relay_task(1), "benchmark", 3_600)
    assert lease is not None
    for batch in records(first, end):
        store.append(lease, 1, batch)
    store.release(lease)
    summarise(control)


def furnish(control: Control, folder: Path) -> None:
    """Make the model bikes with a champion."""
    digest = write_bikes(control, bikes_frame(2_000))
    path = version_folder(folder / "v1", history=digest, history_metrics={"n": 2_000})
    control.client("scientist").add_version("bikes", tar_of(path))
    deploy(control, 1)
    control.client("promoter").promote("bikes", 1, None, "first")


def first_widget(opener: Opener) -> float:
    """Return seconds from opening a page to its chart."""
    begun = time.perf_counter()
    page = opener.open("operator")
    page.locator(".ty-plot[data-drawn]").wait_for()
    taken = time.perf_counter() - begun
    page.close()
    return taken


def refresh_ms(page: Page) -> float:
    """Return milliseconds from a tick to the last draw."""
    refresh(page)
    page.wait_for_timeout(200)
    times = page.evaluate(
        "[...document.querySelectorAll('.ty-header, .ty-plot')].map(e => ({...e.dataset}))"
    )
    ticked = max(float(t["ticked"]) for t in times if "ticked" in t)
    return max(float(t["drawn"]) for t in times if "drawn" in t) - ticked


def main(sizes: list[int]) -> None:
    """Measure at each number of rows."""
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        home = Path(name) / "home"
        rows = 0
        process = ControlProcess(home, furnish)
        for size in sizes:
            with serve(process.settings) as control:
                begun = time.perf_counter()
                grow(control, rows, size)
                filled = time.perf_counter() - begun
                rows = size
            process.start()
            opener = Opener(browser, process)
            opener.open("operator").close()
            opened = statistics.median(first_widget(opener) for _ in range(VISITS))
            page = opener.open("operator")
            refreshed = []
            with serve(process.settings) as control:
                for _ in range(REFRESHES):
                    grow(control, rows, rows + NEW)
                    rows += NEW
                    refreshed.append(refresh_ms(page))
            print(
                f"{size:>9,} rows: first chart {opened:.1f} s, "
                f"refresh {statistics.median(refreshed):.0f} ms (filled in {filled:.0f} s)",
                flush=True,
            )
            opener.close()
            process.kill()


if __name__ == "__main__":
    main([int(text) for text in sys.argv[1:]] or [10_000, 100_000, 1_000_000])
