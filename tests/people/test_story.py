"""The demo's story as people live it: in a browser, from the hub's login on."""

import re
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from demo.data import Observation
from playwright.sync_api import Page, expect
from sklearn import metrics as sk

from loop.yard import wait_for
from people.conftest import MODEL, Shop, Windows
from support.browser import run_all
from support.people import PeopledYard

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

RUN_S = 240.0


def versions(site: PeopledYard) -> list[int]:
    """Return the model's versions."""
    with site.client() as client:
        return [version.version for version in client.versions(MODEL)]


def champion(site: PeopledYard) -> int | None:
    """Return who is champion."""
    with site.client() as client:
        return client.model(MODEL).champion


def table(page: Page) -> dict[str, list[str]]:
    """Return the metric table: name → hold-out, history, live, change."""
    rows = page.locator(".ty-judgement tbody tr").all()
    return {row.locator("th").inner_text(): row.locator("td").all_inner_texts() for row in rows}


def propose(page: Page, version: int, reason: str) -> None:
    """Choose a challenger, give a reason, ask for it; the page asks back."""
    page.get_by_label("Challenger").select_option(str(version))
    page.get_by_label("Reason, for the ledger").fill(reason)
    page.get_by_role("button", name="To Champion").click()


def test_the_monitor_shows_what_scikit_learn_computes(
    site: PeopledYard, shop: Shop, windows: Windows
) -> None:
    """A viewer sees the chart, and live metrics equal to those of the same rows."""
    made = [(value, actual) for version, value, actual in shop.answers if version == 1]
    values, actuals = zip(*made, strict=True)
    page = windows.of("vera").open_monitor()
    caption = page.locator(".ty-judgement").get_by_text(f"{len(made)} rows with an actual")
    refreshed(page, caption.is_visible)
    live = {name: cells[2] for name, cells in table(page).items()}
    assert float(live["Mean absolute error"]) == pytest.approx(
        sk.mean_absolute_error(actuals, values), rel=1e-3
    )
    assert float(live["Root mean squared error"]) == pytest.approx(
        sk.root_mean_squared_error(actuals, values), rel=1e-3
    )
    assert float(live["R²"]) == pytest.approx(sk.r2_score(actuals, values), rel=1e-2)
    expect(page.locator(".ty-plot canvas")).to_be_visible()
    expect(page.locator(".ty-chart h2")).to_have_text("bikers: predicted and actual")
    page.get_by_label("Variable").select_option("temp")
    expect(page.locator(".ty-chart h2")).to_have_text("temp")


def test_a_viewer_changes_nothing(site: PeopledYard, shop: Shop, windows: Windows) -> None:
    """Not by a button, not by a forged message, not by HTTP."""
    before = champion(site)
    window = windows.of("vera")
    page = window.open_monitor()
    ask = page.get_by_role("button", name="To Champion")
    expect(ask).to_be_disabled()
    expect(page.get_by_role("button", name="Retrain")).to_be_disabled()
    page.get_by_label("Reason, for the ledger").fill("I want it")
    page.evaluate(
        "document.querySelectorAll('.ty-decisions button').forEach(b => b.disabled = false)"
    )
    ask.click()
    page.get_by_role("button", name="Yes, promote").evaluate(
        "b => { b.disabled = false; b.click() }"
    )
    expect(page.get_by_role("alert")).to_contain_text("promoter")
    with site.visitor("vera") as visitor:
        token = visitor.token("vera")
    body = {"version": 2, "expected_champion": before, "reason": "I want it"}
    answer = httpx.post(
        f"{site.url}/services/control/api/v1/models/{MODEL}/promote",
        json=body,
        headers={"authorization": f"token {token}"},
        trust_env=False,
    )
    assert answer.status_code == 403
    assert "promoter" in answer.json()["error"]["message"]
    assert champion(site) == before


def test_a_scientist_trains_in_jupyterlab(site: PeopledYard, windows: Windows) -> None:
    """She opens the notebook, runs all cells, and the version is there, hers."""
    before = versions(site)
    page = windows.of("sam").page
    page.goto(f"{site.url}/user/sam/lab/tree/pipelines/{MODEL}/train.ipynb")
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=120_000)
    page.wait_for_selector(".jp-NotebookPanel .jp-Notebook-ExecutionIndicator[data-status=idle]")
    run_all(page)
    wait_for(lambda: len(versions(site)) > len(before), RUN_S, "the version")
    with site.client() as client:
        assert client.versions(MODEL)[-1].created_by == "sam"


def test_a_promoter_retrains_and_promotes(
    site: PeopledYard, shop: Shop, windows: Windows, april: list[Observation]
) -> None:
    """Retrain brings a challenger; To Champion makes it answer; the ledger says who, and why."""
    before = versions(site)
    page = windows.of("pat").open_monitor()
    page.get_by_role("button", name="Retrain").click()
    done = re.compile(r"Retraining .* has made version")
    expect(page.locator(".ty-run")).to_have_text(done, timeout=RUN_S * 1000)
    new = versions(site)[-1]
    assert new == len(before) + 1
    option = page.get_by_label("Challenger").locator(f"option[value='{new}']")
    refreshed(page, lambda: option.count() == 1)
    page.get_by_role("button", name="To Champion").click()
    expect(page.get_by_text("Say why")).to_be_visible()
    propose(page, new, "it has seen the spring")
    expect(page.get_by_text(f"Version 1 → version {new}?")).to_be_visible()
    page.get_by_role("button", name="Yes, promote").click()
    expect(page.get_by_text(f"Version {new} is champion")).to_be_visible()
    assert shop.ask(april[:1]) == new
    del april[:1]
    with site.client() as client:
        entry = client.ledger(MODEL)[-1]
    assert (entry.who, entry.to_version, entry.reason) == ("pat", new, "it has seen the spring")
    expect(page.get_by_text("it has seen the spring")).to_be_visible()


def test_of_two_promoters_one_is_told(site: PeopledYard, shop: Shop, windows: Windows) -> None:
    """Both confirm what they see; one wins, the other learns who did."""
    was = champion(site)
    pages = [windows.of("pat").open_monitor(), windows.of("olga").open_monitor()]
    for page in pages:
        propose(page, 2, "mine is better")
        expect(page.get_by_role("button", name="Yes, promote")).to_be_visible()
    for page in pages:
        page.get_by_role("button", name="Yes, promote").evaluate("b => b.click()")
    for page in pages:
        expect(page.locator(".ty-told")).to_contain_text("champion")
    told = [page.locator(".ty-told").inner_text() for page in pages]
    assert sorted(text.startswith("Not done: ") for text in told) == [False, True]
    with site.client() as client:
        last = client.ledger(MODEL)[-1]
    assert (last.from_version, last.to_version) == (was, 2)


def test_pages_outlive_restarts(
    site: PeopledYard, shop: Shop, windows: Windows, april: list[Observation]
) -> None:
    """Hub, control, Monitor and a user's server die in turn while calls go on: none fails."""
    window = windows.of("pat")
    page = window.open_monitor()
    lab = windows.of("sam").page
    lab.goto(f"{site.url}/user/sam/lab")
    lab.wait_for_selector("#jp-MainMenu", timeout=120_000)
    with Calling(shop, april[:24]) as calling:
        site.kill("control")
        page.get_by_role("button", name="Refresh").click()
        expect(page.get_by_role("alert")).to_contain_text("does not answer")
        refreshed(page, page.get_by_role("alert").is_hidden)
        site.kill("hub")
        wait_for(lambda: site.processes("hub"), 60, "the hub again")
        refreshed(page, page.get_by_role("alert").is_hidden)
        site.kill("monitor")
        wait_for(lambda: site.processes("monitor"), 60, "the Monitor again")
        expect(page.get_by_role("alert")).to_contain_text(re.compile("reload", re.IGNORECASE))
        window.open_monitor()
        site.kill("server-sam")
        lab.goto(f"{site.url}/user/sam/lab")
        launch = lab.get_by_role("button", name=re.compile("launch|start", re.IGNORECASE))
        expect(lab.locator("#jp-MainMenu").or_(launch).first).to_be_visible()
        if launch.is_visible():
            launch.click()
        lab.wait_for_selector("#jp-MainMenu", timeout=120_000)
        assert calling.failures() == []
        assert calling.answered > 0


class Calling:
    """Calls the gateway again and again, aside from what the tests count."""

    def __init__(self, shop: Shop, observations: list[Observation]) -> None:
        self._shop, self._rows = shop, [o.row for o in observations]
        self._failed: list[str] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.answered = 0

    def __enter__(self) -> "Calling":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def failures(self) -> list[str]:
        """Return what was answered by anything but a prediction."""
        return self._failed

    def _run(self) -> None:
        while not self._end.wait(0.05):
            row = self._rows[self.answered % len(self._rows)]
            answer = self._shop.call("predict", {"rows": [row]})
            if answer.status_code != 200:
                self._failed.append(answer.text)
            self.answered += 1


def refreshed(page: Page, condition: Callable[[], Any], seconds: float = 90.0) -> None:
    """Let the page refresh until a condition holds, sooner than by its own clock."""

    def look() -> bool:
        page.get_by_role("button", name="Refresh").click()
        page.wait_for_timeout(1_000)
        return bool(condition())

    wait_for(look, seconds, "the page")
