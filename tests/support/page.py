"""A control process with a model to judge, the Monitor's page on it, and how to read the page."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pyarrow as pa
from playwright.sync_api import Browser, Locator, expect
from playwright.sync_api import Page as BrowserPage

from loop.yard import DIES_WITH_US, free_port
from support.control import (
    Control,
    bikes_frame,
    deploy,
    issue_tokens,
    log_rows,
    make_home,
    serve,
    summarise,
    tar_of,
    version_folder,
    write_bikes,
)
from tiltyard.client.control import ControlClient
from tiltyard.client.tickets import KEY_FILE, sign
from tiltyard.evaluation.metrics import regression_metrics
from tiltyard.monitor.desk import HEADER
from tiltyard.stores.base import follow_task
from tiltyard.types.records import Score

ROOT = Path(__file__).parents[2]
HISTORY, LIVE = 800, 1_200
START_S = 60.0
KEY = "k" * 64
"""Signs tickets here."""


def history() -> tuple[list[float], list[float]]:
    """Return actual and predicted of the history."""
    truth = [10.0 * i for i in range(HISTORY)]
    made = np.array(truth) + np.random.default_rng(1).normal(0, 30, HISTORY)
    return truth, made.tolist()


def live() -> list[tuple[float, float | None]]:
    """Return predicted and actual of the live hours; every fifth actual is not known yet."""
    rng = np.random.default_rng(3)
    truth = rng.normal(100, 20, LIVE)
    made = truth + rng.normal(4, 9, LIVE)
    pairs = zip(made.tolist(), truth.tolist(), strict=True)
    return [(p, None if i % 5 == 4 else a) for i, (p, a) in enumerate(pairs)]


def challenged() -> list[float]:
    """Return what the challenger makes of the live hours: half as far off."""
    return [p if a is None else a + (p - a) / 2 for p, a in live()]


def furnish(control: Control, folder: Path) -> None:
    """Make the model bikes: champion 1, challengers 2 and 3, 50 live days."""
    digest = write_bikes(control, bikes_frame(HISTORY))
    truth, made = history()
    batch = pa.record_batch({"value": pa.array(made)})
    for version in (1, 2, 3):
        path = version_folder(
            folder / f"v{version}",
            history=digest,
            parameters={"depth": version},
            metrics=regression_metrics(truth[600:], made[600:]),
        )
        uploaded = control.client("scientist").add_version(
            "bikes", tar_of(path), (batch.schema, [batch])
        )
        assert uploaded.version == version
        deploy(control, version)
    control.client("promoter").promote("bikes", 1, None, "first")
    log_rows(control, live())
    store = control.parts.store
    lease = store.acquire(follow_task("bikes", 2), "test", 60)
    assert lease is not None
    seqs = _seqs()
    scores = [Score(1, seq, value) for seq, value in zip(seqs, challenged(), strict=True)]
    store.write_scores(lease, "bikes", 2, scores, store.watermarks())
    store.release(lease)
    summarise(control)


def _seqs() -> list[int]:
    """Return the seqs of the predictions as ``log_rows`` numbers them."""
    seqs, at = [], 1
    for _, actual in live():
        seqs.append(at)
        at += 1 if actual is None else 2
    return seqs


class ControlProcess:
    """A control process on a furnished home; it can be killed and started again."""

    def __init__(self, home: Path, fill: Callable[[Control, Path], None]) -> None:
        self.settings = settings = make_home(home)
        with serve(settings) as control:
            fill(control, home)
        self.tokens = issue_tokens(settings)
        key = settings.path("tokens", KEY_FILE)
        key.parent.mkdir(exist_ok=True)
        key.write_text(KEY)
        self.tokens["late"] = sign(KEY.encode(), "ann", int(time.time()) - 1)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {
            **os.environ,
            "TILTYARD_HOME": str(home),
            "TILTYARD_CONFIG": "/dev/null",
            "TILTYARD_CONTROL__PORT": str(self.port),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it answers."""
        command = [*DIES_WITH_US, "-m", "tiltyard.control"]
        self._process = subprocess.Popen(command, env=self._environment)
        _until_answered(f"{self.url}/api/v1/health", self._process)

    def kill(self, how: int = signal.SIGKILL) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(20)

    def client(self, name: str) -> ControlClient:
        """Return a client with a scope's token."""
        return ControlClient(self.url, self.tokens[name])


class Opener:
    """Opens the page for people, who differ by their tokens; one Voila serves them all."""

    def __init__(self, browser: Browser, control: ControlProcess) -> None:
        self._browser = browser
        self._control = control
        self.requests: list[str] = []
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/"
        environment: Mapping[str, str] = {
            **os.environ,
            "TILTYARD_CONFIG": "/dev/null",
            "TILTYARD_CLIENT__URL": self._control.url,
        }
        script = str(Path(__file__).with_name("bare_voila.py"))
        notebook = str(ROOT / "dashboards" / "monitor.ipynb")
        self._process = subprocess.Popen(
            [*DIES_WITH_US, script, str(port), notebook],
            env=environment,
            stderr=subprocess.DEVNULL,
        )

    def open(self, name: str, token: str | None = None) -> BrowserPage:
        """Open a page and wait until it is there."""
        _until_answered(f"{self.url}static/main.js", self._process)
        page = self._browser.new_page(
            viewport={"width": 1280, "height": 1400},
            extra_http_headers={HEADER: token or self._control.tokens[name]},
        )
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(self.url)
        page.locator(".ty-header").wait_for(timeout=START_S * 1000)
        return page

    def close(self) -> None:
        """End Voila and its kernels."""
        self._process.terminate()
        self._process.wait(20)


@contextmanager
def furnished(folder: Path) -> Iterator[ControlProcess]:
    """Give a running control with the model bikes."""
    control = ControlProcess(folder, furnish)
    control.start()
    try:
        yield control
    finally:
        control.kill()


def refresh(page: BrowserPage) -> None:
    """Refresh as by the page's own clock, and wait until it is done."""
    before = page.locator(".ty-header").get_attribute("data-looks")
    page.get_by_role("button", name="Refresh").click()
    changed = "b => document.querySelector('.ty-header').dataset.looks !== b"
    page.wait_for_function(changed, arg=before)


def cells(page: BrowserPage, metric: str) -> list[str]:
    """Return hold-out, history, live and change of a metric."""
    return page.locator(f"tr[data-metric={metric}] td").all_inner_texts()


def legend(page: BrowserPage, line: str) -> Locator:
    """Return where the value of a line under the cursor stands."""
    return page.locator(f".ty-legend li[data-line={line}] b")


def point_at(page: BrowserPage, share: float) -> str:
    """Move the cursor to a share of the chart's width; return the time it says."""
    over = page.locator(".u-over")
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] / 2)
    readout = page.locator(".ty-readout")
    expect(readout).not_to_be_empty()
    return readout.inner_text()


def _until_answered(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_S
    while True:
        try:
            httpx.get(url, timeout=2)
        except httpx.TransportError:
            assert process.poll() is None, f"{process.args!r} ended"
            assert time.monotonic() < end, f"{url} does not answer"
            time.sleep(0.1)
        else:
            return
