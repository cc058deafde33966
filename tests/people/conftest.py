"""A whole Tiltyard with people, a trained champion, a challenger and an application's calls."""

import json
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from demo.data import HISTORY_ENDS, Observation, rides
from playwright.sync_api import Browser

from loop.yard import wait_for
from support.browser import Window, chromium
from support.people import PeopledYard

MODEL = "bikeshare"
HOURS = 240
"""Of April that the application has asked for before the tests begin."""


@dataclass
class Shop:
    """The application: what it was answered, and what turned out to be true."""

    url: str
    token: str
    answers: list[tuple[int, float, int]] = field(default_factory=list)

    def call(self, verb: str, body: Any) -> httpx.Response:
        """Call the gateway."""
        return httpx.post(
            f"{self.url}/models/{MODEL}/{verb}",
            json=body,
            headers={"authorization": f"Bearer {self.token}"},
            timeout=30,
            trust_env=False,
        )

    def ask(self, observations: list[Observation]) -> int:
        """Ask for predictions, send the actuals; return the version that answered."""
        answer = self.call("predict", {"rows": [o.row for o in observations]})
        assert answer.status_code == 200, answer.text
        made = answer.json()
        actuals = [
            {"id": p["id"], "value": o.actual, "known_at": _later(o.at)}
            for p, o in zip(made["predictions"], observations, strict=True)
        ]
        assert self.call("actuals", {"actuals": actuals}).status_code == 202
        self.answers += [
            (made["version"], p["value"], o.actual)
            for p, o in zip(made["predictions"], observations, strict=True)
        ]
        return int(made["version"])


def _later(at: datetime | None) -> str:
    return ((at or HISTORY_ENDS) + timedelta(hours=6)).isoformat()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PeopledYard]:
    """Give a running Tiltyard with bikeshare's history, two versions, the first one champion."""
    yard = PeopledYard(tmp_path_factory.mktemp("people"), TILTYARD_RUNNER__CONCURRENCY="2")
    try:
        yard.start()
        yard.add_people()
        for words in (
            ("lake", "load"),
            ("run", "prepare", MODEL, "--owner-group", "rentals"),
            ("run", "train", MODEL, "-p", "n_estimators=20"),
            ("run", "train", MODEL, "-p", "estimator=linear"),
            ("deploy", MODEL, "1"),
            ("deploy", MODEL, "2"),
            ("promote", MODEL, "1", "--reason", "the first one"),
        ):
            done = yard.run(*words)
            assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        yield yard
    finally:
        yard.stop()


@pytest.fixture(scope="module")
def april() -> list[Observation]:
    """Give the hours of April and after that nobody has asked for yet."""
    return rides()


@pytest.fixture(scope="module")
def shop(site: PeopledYard, april: list[Observation]) -> Shop:
    """Give the application, which has asked for ten days of April."""
    issued = site.run("token", "create", "shop", MODEL, "--json")
    shop = Shop(site.gateway_url, json.loads(issued.stdout)["token"])
    row = {"rows": [april[0].row]}
    wait_for(lambda: shop.call("predict", row).status_code == 200, 30, "the token")
    for start in range(0, HOURS, 24):
        shop.ask(april[start : start + 24])
    del april[:HOURS]
    return shop


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give a browser; Playwright's loop must not run on beside other tests."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def windows(browser: Browser, site: PeopledYard) -> Iterator["Windows"]:
    """Open windows of people who are logged in; at the end no request had left the machine."""
    opened = Windows(browser, site.url)
    try:
        yield opened
        assert opened.hosts <= {"127.0.0.1", "localhost"}
    finally:
        opened.close()


class Windows:
    """Opens windows, and closes them all."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser, self._url = browser, url
        self._opened: list[Window] = []

    def of(self, name: str) -> Window:
        """Return a window in which somebody is logged in."""
        window = Window(self._browser, self._url)
        self._opened.append(window)
        window.login(name)
        return window

    @property
    def hosts(self) -> set[str]:
        """All hosts that were asked for something."""
        return set().union(*(window.hosts for window in self._opened))

    def close(self) -> None:
        """Close them."""
        for window in self._opened:
            window.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of every log of a site whose test failed."""
    report = yield
    found = getattr(item, "funcargs", {}).get("site")
    if report.failed and found is not None:
        report.sections.append(("logs", found.logs()))
    return report
