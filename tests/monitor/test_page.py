"""The page in a real Chromium, on a real control with a real store."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from playwright.sync_api import Browser, expect
from playwright.sync_api import Page as BrowserPage
from sklearn import metrics as sk

from support.page import (
    LIVE,
    ControlProcess,
    Opener,
    cells,
    challenged,
    furnished,
    history,
    legend,
    live,
    point_at,
    refresh,
)
from tiltyard.monitor.wording import MINUS, metric
from tiltyard.types.registry import RunProgress

pytestmark = pytest.mark.slow

LIVE_BEGINS = datetime(2024, 2, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlProcess]:
    """Give a control process with the model bikes."""
    with furnished(tmp_path_factory.mktemp("page") / "home") as process:
        yield process


@pytest.fixture(scope="module")
def opener(browser: Browser, control: ControlProcess) -> Iterator[Opener]:
    """Give what opens pages."""
    opener = Opener(browser, control)
    yield opener
    opener.close()


@pytest.fixture(scope="module")
def page(opener: Opener) -> Iterator[BrowserPage]:
    """Give the operator's page."""
    page = opener.open("operator")
    expect(page.locator("tr[data-metric]")).to_have_count(5)
    yield page
    page.close()


def test_the_table_holds_the_metrics_of_scikit_learn(page: BrowserPage) -> None:
    """On hold-out, history and the live rows with an actual; which are counted."""
    pairs = [(a, p) for p, a in live() if a is not None]
    truth, made = map(np.array, zip(*pairs, strict=True))
    before, predicted = history()
    mae = sk.mean_absolute_error
    hold_out, whole = mae(before[600:], predicted[600:]), mae(before, predicted)
    shown = cells(page, "mae")
    assert shown[:3] == [metric("mae", v) for v in (hold_out, whole, mae(truth, made))]
    assert shown[3].startswith(MINUS)
    assert shown[3].endswith("better")
    rmse = sk.root_mean_squared_error(truth, made)
    assert cells(page, "rmse")[2] == metric("rmse", rmse)
    assert cells(page, "r2")[2] == metric("r2", sk.r2_score(truth, made))
    assert f"{len(pairs):,} rows with an actual" in page.locator(".ty-judgement").inner_text()


def test_challengers_are_compared_with_the_champion(page: BrowserPage) -> None:
    """By the metric of the model's threshold; one without scores has none."""
    card = page.locator("[data-version='2']")
    pairs = [(a, c) for (_, a), c in zip(live(), challenged(), strict=True) if a is not None]
    truth, made = zip(*pairs, strict=True)
    expected = metric("rmse", sk.root_mean_squared_error(truth, made))
    expect(card.locator(".ty-figure b")).to_have_text(expected)
    expect(card).to_contain_text("better than the champion")
    expect(card).to_contain_text("has scored every call")
    expect(page.locator("[data-version='3']")).to_contain_text(f"{LIVE:,} calls behind")
    expect(page.locator("[data-version='1']")).to_contain_text("champion since")


def test_the_chart_shows_the_means_of_the_live_rows(page: BrowserPage) -> None:
    """Under the cursor stand a bucket's time and the means of its rows."""
    expect(page.locator(".ty-plot canvas")).to_be_visible()
    said = point_at(page, 0.8)
    day = datetime.fromisoformat(said.removesuffix(" UTC")).replace(tzinfo=UTC)
    first = (day - LIVE_BEGINS) // timedelta(hours=1)
    rows = live()[first : first + 24]
    predicted = np.mean([p for p, _ in rows])
    actual = np.mean([a for _, a in rows if a is not None])
    assert float(legend(page, "predicted").inner_text()) == pytest.approx(predicted, rel=1e-3)
    assert float(legend(page, "actual").inner_text()) == pytest.approx(actual, rel=1e-3)
    assert "by day of 1,200 rows" in page.locator(".ty-chart .ty-note").inner_text()


def test_a_window_ends_at_the_newest_event(page: BrowserPage) -> None:
    """Seven days are 169 hours, whose rows are drawn and judged."""
    page.get_by_label("Window").select_option("7d")
    expect(page.locator(".ty-chart .ty-note")).to_contain_text("each of 169 rows")
    known = [pair for pair in live()[-169:] if pair[1] is not None]
    expect(page.locator(".ty-judgement")).to_contain_text(f"{len(known)} rows with an actual")
    page.get_by_label("Window").select_option("all")
    expect(page.locator(".ty-chart .ty-note")).to_contain_text("1,200 rows")


def test_a_refresh_keeps_what_a_visitor_did(page: BrowserPage) -> None:
    """Zoom, choices and a text that is being typed."""
    page.get_by_label("Variable").select_option("temperature")
    expect(page.locator(".ty-chart h2")).to_have_text("temperature")
    page.get_by_label("Reason, for the ledger").fill("half typ")
    box = page.locator(".u-over").bounding_box()
    assert box is not None
    y = box["y"] + 60
    page.mouse.move(box["x"] + box["width"] * 0.6, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, y, steps=4)
    page.mouse.up()
    all_of_it = page.get_by_role("button", name="Show all")
    expect(all_of_it).to_be_visible()
    zoomed = point_at(page, 0.02)
    refresh(page)
    expect(all_of_it).to_be_visible()
    page.mouse.move(0, 0)
    assert point_at(page, 0.02) == zoomed
    expect(page.get_by_label("Variable")).to_have_value("temperature")
    expect(page.get_by_label("Reason, for the ledger")).to_have_value("half typ")
    all_of_it.click()
    page.mouse.move(0, 0)
    assert point_at(page, 0.02) < zoomed
    page.get_by_label("Variable").select_option("")


def test_a_retraining_is_followed_by_every_page(
    page: BrowserPage, opener: Opener, control: ControlProcess
) -> None:
    """Also by one that is opened meanwhile; its end is told in a sentence."""
    button = page.get_by_role("button", name="Retrain")
    button.click()
    expect(page.locator(".ty-run")).to_contain_text("is queued")
    expect(button).to_be_disabled()
    with control.client("runner") as runner:
        claimed = runner.claim_run("test", 60)
        assert claimed is not None
        run = claimed[0]
        assert (str(run.request.kind), run.request.deploy) == ("retrain", True)
        runner.update_run(run.id, progress=RunProgress(done=3, total=9, note="Fit"))
        expect(page.locator(".ty-run")).to_contain_text("cell 3 of 9, Fit")
        other = opener.open("operator")
        expect(other.locator(".ty-run")).to_contain_text("cell 3 of 9")
        expect(other.locator("progress")).to_be_visible()
        other.close()
        runner.update_run(run.id, state="failed", error="no rows since April")
    expect(page.locator(".ty-run")).to_contain_text("failed: no rows since April")
    expect(button).to_be_enabled()


def test_a_promotion_needs_a_reason_and_changes_the_ledger(
    page: BrowserPage, control: ControlProcess
) -> None:
    """It is confirmed first; registry and ledger have it then, and the page says so."""
    page.get_by_label("Challenger").select_option("2")
    page.get_by_label("Reason, for the ledger").fill(" ")
    ask = page.get_by_role("button", name="To Champion")
    ask.click()
    expect(page.get_by_text("Say why")).to_be_visible()
    page.get_by_label("Reason, for the ledger").fill("half <b>the</b> error")
    ask.click()
    expect(page.locator(".ty-question")).to_have_text("Champion: version 1 → version 2?")
    page.get_by_role("button", name="Yes, promote").click()
    expect(page.locator(".ty-told")).to_contain_text("Version 2 is champion since")
    expect(page.locator("[data-version='2'] .ty-badge")).to_have_text("champion")
    expect(page.locator(".ty-change")).to_contain_text("“half <b>the</b> error”")
    expect(page.get_by_label("Reason, for the ledger")).to_have_value("")
    with control.client("viewer") as client:
        assert client.model("bikes").champion == 2
        last = client.ledger("bikes")[-1]
    assert (last.who, last.from_version, last.reason) == ("operator", 1, "half <b>the</b> error")


def test_a_lost_race_is_told(page: BrowserPage, control: ControlProcess) -> None:
    """What was on the page when the question was asked is what counts; nothing changes."""
    page.get_by_label("Challenger").select_option("1")
    page.get_by_label("Reason, for the ledger").fill("back")
    page.get_by_role("button", name="To Champion").click()
    with control.client("promoter") as other:
        other.promote("bikes", 3, 2, "mine is better")
    refresh(page)
    page.get_by_role("button", name="Yes, promote").click()
    told = page.locator(".ty-told")
    expect(told).to_contain_text("Not done: promoter made version 3 champion at")
    expect(told).to_contain_text("Look again")
    expect(page.get_by_label("Reason, for the ledger")).to_have_value("back")
    with control.client("viewer") as client:
        assert client.model("bikes").champion == 3


def test_a_viewer_is_told_why_not_and_cannot_force_it(
    opener: Opener, control: ControlProcess
) -> None:
    """The buttons are off and say who may; control refuses what is sent in any case."""
    page = opener.open("viewer")
    ask = page.get_by_role("button", name="To Champion")
    expect(ask).to_be_disabled()
    expect(page.get_by_text("Only a promoter may do this; viewer is none.")).to_be_visible()
    expect(page.get_by_text("Only a scientist may do this; viewer is none.")).to_be_visible()
    page.get_by_label("Reason, for the ledger").fill("I want it")
    page.evaluate("document.querySelectorAll('button').forEach(b => { b.disabled = false })")
    ask.click()
    page.get_by_role("button", name="Yes, promote").evaluate(
        "b => { b.disabled = false; b.click() }"
    )
    expect(page.get_by_role("alert")).to_contain_text("it needs the scope promoter")
    with control.client("viewer") as client:
        assert client.model("bikes").champion == 3
    page.close()


def test_a_page_whose_control_is_away_says_so_and_recovers(
    page: BrowserPage, control: ControlProcess
) -> None:
    """It says when it tries again; what it showed stays, and the alert goes by itself."""
    control.kill()
    refresh(page)
    expect(page.get_by_role("alert")).to_contain_text("Control does not answer; trying again at")
    expect(page.locator("tr[data-metric]")).to_have_count(5)
    control.start()
    refresh(page)
    expect(page.get_by_role("alert")).to_be_hidden()


def test_an_expired_ticket_asks_for_a_reload(opener: Opener) -> None:
    """The page says so, and offers it."""
    page = opener.open("late")
    expect(page.get_by_role("alert")).to_contain_text(
        "This page has been open for too long: reload the page."
    )
    expect(page.get_by_role("button", name="Reload")).to_be_visible()
    page.close()


def test_no_request_leaves_the_machine(page: BrowserPage, opener: Opener) -> None:
    """Of all pages that were opened here."""
    hosts = {url.split("/")[2].split(":")[0] for url in opener.requests if url.startswith("http")}
    assert hosts == {"127.0.0.1"}
    assert len(opener.requests) > 20


def test_a_lost_connection_is_told(page: BrowserPage, opener: Opener) -> None:
    """When the kernel is gone, ten seconds after the page sent something."""
    opener.close()
    page.get_by_label("Window").select_option("30d")
    expect(page.get_by_role("alert")).to_contain_text(
        "Connection lost — reload the page", timeout=20_000
    )
