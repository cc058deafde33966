"""The Monitor's server, visited with a real browser through the real hub and proxy."""

import time
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Browser, expect

from monitor.conftest import IDLE_S
from support.browser import log_in
from support.hub import wait_for
from support.monitor import SECRETS, SIGN_OF_SOURCE, Visit, kernels
from support.people import PeopledYard
from tiltyard.client.tickets import sign

pytestmark = pytest.mark.slow

GONE_S = 20.0


def test_a_viewer_logs_in_and_sees_the_page(monitored: PeopledYard, browser: Browser) -> None:
    """The page comes after the hub's login; its kernel acts for her, and nobody else is asked."""
    with Visit(browser, monitored, "vera") as visit:
        assert visit.user() == "vera"
        expect(visit.page).to_have_title("Tiltyard Monitor")
        expect(visit.page.locator("html")).to_have_attribute("lang", "en")
        expect(visit.page.locator("#loading")).to_have_count(0)
        expect(visit.page.locator("#ticks")).to_have_text("2")
        asked = [url for url in visit.asked if not url.startswith(("data:", "blob:"))]
        assert {urlparse(url).netloc for url in asked} == {urlparse(monitored.url).netloc}
        assert len(asked) > 50


def test_the_kernel_is_given_no_secret(monitored: PeopledYard, browser: Browser) -> None:
    """Its environment holds control's URL and the ticket, and no token or secret of the yard."""
    with Visit(browser, monitored, "vera") as visit:
        environment = visit.environment()
    assert environment["TILTYARD_CLIENT__URL"] == monitored.control_url
    ours = {name for name in environment if name.startswith(("TILTYARD", "JUPYTERHUB"))}
    assert ours == {"TILTYARD_CLIENT__URL", "TILTYARD_UP"}
    secrets = {file.read_text().strip() for file in (monitored.home / "tokens").iterdir()}
    assert len(secrets) > 5
    told = "\n".join(environment.values())
    assert not [secret for secret in secrets | set(SECRETS.values()) if secret in told]


def test_a_ticket_sent_by_the_browser_is_dropped(monitored: PeopledYard, browser: Browser) -> None:
    """Even a genuine ticket of another, sent as a header, does not reach the kernel."""
    key = (monitored.home / "tokens" / "ticket-key").read_text().strip().encode()
    stolen = sign(key, "olga", int(time.time()) + 600)
    headers = {"X-Tiltyard-Ticket": stolen, "x-tiltyard-user": "olga"}
    with Visit(browser, monitored, "vera", extra_http_headers=headers) as visit:
        assert visit.user() == "vera"
        assert stolen not in visit.environment().values()


def test_who_has_no_role_stays_outside(monitored: PeopledYard, browser: Browser) -> None:
    """A person of no group is told so, gets 403 and no kernel."""
    made = monitored.run("user", "add", "nemo", "--password-stdin", text="nobody-at-all-2035\n")
    assert made.returncode == 0, made.stderr
    before = kernels(monitored)
    page = browser.new_page()
    pages = []
    page.on(
        "response",
        lambda answer: answer.request.is_navigation_request() and pages.append(answer.status),
    )
    log_in(page, f"{monitored.url}/services/monitor/", "nemo", "nobody-at-all-2035")
    expect(page.locator("body")).to_contain_text("403")
    assert pages[-1] == 403
    assert kernels(monitored) <= before
    page.context.close()


def test_nobody_reaches_another_ones_kernel(monitored: PeopledYard, browser: Browser) -> None:
    """By websocket, by REST or by ending it: another's kernel is as if it were not there."""
    with Visit(browser, monitored, "vera") as vera, Visit(browser, monitored, "olga") as olga:
        kernel = vera.kernel()
        path = f"api/kernels/{kernel}"
        assert (vera.status(path), vera.websocket(kernel)) == (200, "open")
        assert olga.kernel() != kernel
        assert (olga.status(path), olga.websocket(kernel)) == (404, "refused")
        assert olga.send("DELETE", path) == 404
        assert olga.send("POST", f"voila/api/shutdown/{kernel}") == 404
        nothing = "00000000-0000-0000-0000-000000000000"
        assert (olga.status(f"api/kernels/{nothing}"), olga.websocket(nothing)) == (404, "refused")
        assert kernel in kernels(monitored)
        assert vera.send("POST", f"voila/api/shutdown/{kernel}") == 204
        wait_for(lambda: kernel not in kernels(monitored), GONE_S)


def test_only_the_page_can_be_reached(monitored: PeopledYard, browser: Browser) -> None:
    """No files, terminals, sessions, kernel starts or sources; error pages name no token."""
    hidden = (
        *("api/contents", "api/kernels", "api/sessions", "api/terminals", "api/kernelspecs"),
        *("api", "lab", "tree", "files/shows.ipynb", "shows.ipynb", "terminals/1"),
        *("voila/files/shows.ipynb", "voila/files/picture.png", "voila/tree", "voila/render/x"),
        *("voila/static/..%2fapp.py", "voila/labextensions/nothing"),
        "voila/templates/lab/static/..%2findex.html.j2",
    )
    token = (monitored.home / "tokens" / "hub-monitor").read_text().strip()
    with Visit(browser, monitored, "vera") as visit:
        source = visit.page.request.get(visit.url).text()
        assert SIGN_OF_SOURCE not in source
        for path in hidden:
            answer = visit.context.request.get(f"{visit.url}{path}", max_redirects=0)
            assert answer.status in {403, 404}, path
            assert token not in answer.text()
        assert visit.send("POST", "api/kernels") == 404


def test_a_page_that_fails_shows_no_source(monitored: PeopledYard, browser: Browser) -> None:
    """Of a notebook that raises, the visitor sees what to do, and neither traceback nor code."""
    with Visit(browser, monitored, "vera", "?fail") as visit:
        expect(visit.page.locator("body")).to_contain_text("tell an operator", timeout=60_000)
        assert SIGN_OF_SOURCE not in visit.page.content()


def test_colours_follow_the_visitor(monitored: PeopledYard, browser: Browser) -> None:
    """Dark for who prefers dark, light else, and it changes while the page is open."""
    with Visit(browser, monitored, "vera", color_scheme="dark") as visit:
        visit.environment()
        body = visit.page.locator("body")
        expect(body).to_have_css("background-color", "rgb(17, 17, 17)")
        expect(body).to_have_attribute("data-jp-theme-light", "false")
        visit.page.emulate_media(color_scheme="light")
        expect(body).to_have_css("background-color", "rgb(255, 255, 255)")
        expect(body).to_have_attribute("data-jp-theme-light", "true")


def test_a_closed_page_ends_its_kernel(monitored: PeopledYard, browser: Browser) -> None:
    """Closing the page ends its kernel long before it would be idle for too long."""
    with Visit(browser, monitored, "vera") as visit:
        kernel = visit.kernel()
        assert kernel in kernels(monitored)
        visit.page.close(run_before_unload=True)
        wait_for(lambda: kernel not in kernels(monitored), IDLE_S)


def test_only_a_page_that_ticks_keeps_its_kernel(monitored: PeopledYard, browser: Browser) -> None:
    """A page whose browser is silent loses its kernel, connected or not; one that ticks stays."""
    with Visit(browser, monitored, "vera") as ticking:
        kept = ticking.kernel()
        with Visit(browser, monitored, "sam", "?quiet") as quiet:
            lost = quiet.kernel()
            assert {kept, lost} <= kernels(monitored)
            wait_for(lambda: lost not in kernels(monitored), GONE_S)
        assert kept in kernels(monitored)


def test_the_monitor_is_restarted_without_a_login(monitored: PeopledYard, browser: Browser) -> None:
    """After a kill, `tiltyard up` has it back; an open page is reloaded and asks no password."""
    with Visit(browser, monitored, "vera") as visit:
        kernel = visit.kernel()
        old = {process.pid for process in monitored.processes("monitor")}
        monitored.kill("monitor")
        wait_for(lambda: bool({p.pid for p in monitored.processes("monitor")} - old), GONE_S)
        wait_for(lambda: visit.status("") == 200, GONE_S)
        visit.page.reload()
        assert visit.user() == "vera"
        assert visit.kernel() != kernel
        wait_for(lambda: kernel not in kernels(monitored), GONE_S)
