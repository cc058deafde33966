"""The Monitor's server, visited with a real browser through the real hub and proxy."""

import time
from collections.abc import Iterator
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Browser, expect

from monitor.conftest import IDLE_S
from support.hub import wait_for
from support.monitor import SECRETS, SIGN_OF_SOURCE, Visit, kernels
from support.people import PeopledYard
from tiltyard.client.tickets import sign

pytestmark = pytest.mark.slow

GONE_S = 20.0


@pytest.fixture(scope="module")
def stolen(monitored: PeopledYard) -> str:
    """Give a genuine ticket of an operator, which somebody else has got hold of."""
    key = (monitored.home / "tokens" / "ticket-key").read_text().strip().encode()
    return sign(key, "olga", int(time.time()) + 600)


@pytest.fixture(scope="module")
def vera(monitored: PeopledYard, browser: Browser, stolen: str) -> Iterator[Visit]:
    """Give a viewer's browser that also sends the stolen ticket, with the page open."""
    headers = {"X-Tiltyard-Ticket": stolen, "x-tiltyard-user": "olga"}
    with Visit(browser, monitored, "vera", extra_http_headers=headers) as visit:
        yield visit


def test_a_viewer_logs_in_and_sees_the_page(monitored: PeopledYard, vera: Visit) -> None:
    """The page comes after the hub's login, its widgets live, and no other host is asked."""
    expect(vera.page.locator("#ticks")).to_have_text("2", timeout=60_000)
    expect(vera.page).to_have_title("Tiltyard Monitor")
    expect(vera.page.locator("html")).to_have_attribute("lang", "en")
    expect(vera.page.locator("#loading")).to_have_count(0)
    asked = [url for url in vera.asked if not url.startswith(("data:", "blob:"))]
    assert {urlparse(url).netloc for url in asked} == {urlparse(monitored.url).netloc}
    assert len(asked) > 50


def test_the_kernel_acts_for_its_visitor(vera: Visit, stolen: str) -> None:
    """Its ticket names her; a genuine one of another, sent as a header, does not reach it."""
    assert vera.user() == "vera"
    assert stolen not in vera.environment().values()


def test_the_kernel_is_given_no_secret(monitored: PeopledYard, vera: Visit) -> None:
    """Its environment holds control's URL and the ticket, and no token or secret of the yard."""
    environment = vera.environment()
    assert environment["TILTYARD_CLIENT__URL"] == monitored.control_url
    ours = {name for name in environment if name.startswith(("TILTYARD", "JUPYTERHUB"))}
    assert ours == {"TILTYARD_CLIENT__URL", "TILTYARD_UP"}
    secrets = {file.read_text().strip() for file in (monitored.home / "tokens").iterdir()}
    assert len(secrets) > 5
    told = "\n".join(environment.values())
    assert not [secret for secret in secrets | set(SECRETS.values()) if secret in told]


def test_colours_follow_the_visitor(vera: Visit) -> None:
    """Dark for who prefers dark, light else, and it changes while the page is open."""
    body = vera.page.locator("body")
    vera.page.emulate_media(color_scheme="dark")
    expect(body).to_have_css("background-color", "rgb(17, 17, 17)")
    expect(body).to_have_attribute("data-jp-theme-light", "false")
    vera.page.emulate_media(color_scheme="light")
    expect(body).to_have_css("background-color", "rgb(255, 255, 255)")
    expect(body).to_have_attribute("data-jp-theme-light", "true")


def test_only_the_page_can_be_reached(monitored: PeopledYard, vera: Visit) -> None:
    """No files, terminals, sessions, kernel starts or sources; error pages name no token."""
    hidden = (
        *("api/contents", "api/kernels", "api/sessions", "api/terminals", "api/kernelspecs"),
        *("api", "lab", "tree", "files/shows.ipynb", "shows.ipynb", "terminals/1"),
        *("voila/files/shows.ipynb", "voila/files/picture.png", "voila/tree", "voila/render/x"),
        *("voila/static/..%2fapp.py", "voila/labextensions/nothing"),
        *("voila/templates/lab/static/..%2findex.html.j2", "voila/templates/base/page.html"),
    )
    token = (monitored.home / "tokens" / "hub-monitor").read_text().strip()
    assert SIGN_OF_SOURCE not in vera.page.content()
    for path in hidden:
        answer = vera.context.request.get(f"{vera.url}{path}", max_redirects=0)
        assert answer.status in {403, 404}, path
        assert token not in answer.text()
    assert vera.send("POST", "api/kernels") == 404


def test_who_has_no_role_stays_outside(monitored: PeopledYard, browser: Browser) -> None:
    """A person of no group gets 403 and no kernel; a group lets in, and out again in 15 s."""
    made = monitored.run("user", "add", "nemo", "--password-stdin", text="nobody-at-all-2035\n")
    assert made.returncode == 0, made.stderr
    with Visit(browser, monitored, "nemo", password="nobody-at-all-2035") as visit:
        expect(visit.page.locator("body")).to_contain_text("403")
        assert visit.status("") != 200
        monitored.run("user", "groups", "nemo", "--add", "viewers")
        visit.page.goto(visit.url)
        assert visit.user() == "nemo"
        monitored.run("user", "groups", "nemo", "--remove", "viewers")
        wait_for(lambda: visit.status("") == 403, 15)
        visit.page.goto(visit.url)
        expect(visit.page.get_by_role("heading")).to_have_text("The Monitor is not open to you")


def test_nobody_reaches_another_ones_kernel(
    monitored: PeopledYard, browser: Browser, vera: Visit
) -> None:
    """By websocket, by REST or by ending it: another's kernel is as if it were not there."""
    kernel, nothing = vera.kernel(), "00000000-0000-0000-0000-000000000000"
    path = f"api/kernels/{kernel}"
    assert (vera.status(path), vera.websocket(kernel)) == (200, "open")
    with Visit(browser, monitored, "olga") as olga:
        own = olga.kernel()
        assert (olga.status(path), olga.websocket(kernel)) == (404, "refused")
        assert (olga.status(f"api/kernels/{nothing}"), olga.websocket(nothing)) == (404, "refused")
        assert olga.send("DELETE", path) == 404
        assert olga.send("POST", f"voila/api/shutdown/{kernel}") == 404
        assert {kernel, own} <= kernels(monitored)
        assert olga.send("POST", f"voila/api/shutdown/{own}") == 204
        wait_for(lambda: own not in kernels(monitored), GONE_S)


def test_a_page_that_fails_shows_no_source(monitored: PeopledYard, browser: Browser) -> None:
    """Of a notebook that raises, the visitor sees what to do, and neither traceback nor code."""
    with Visit(browser, monitored, "vera", "?fail") as visit:
        expect(visit.page.locator("body")).to_contain_text("tell an operator", timeout=60_000)
        assert SIGN_OF_SOURCE not in visit.page.content()


def test_a_closed_page_ends_its_kernel(monitored: PeopledYard, browser: Browser) -> None:
    """Closing the page ends its kernel long before it would be idle for too long."""
    with Visit(browser, monitored, "vera") as visit:
        kernel = visit.kernel()
        assert kernel in kernels(monitored)
        visit.page.close(run_before_unload=True)
        wait_for(lambda: kernel not in kernels(monitored), IDLE_S)


def test_only_a_page_that_ticks_keeps_its_kernel(
    monitored: PeopledYard, browser: Browser, vera: Visit
) -> None:
    """A page whose browser is silent loses its kernel, connected or not; one that ticks stays."""
    kept = vera.kernel()
    with Visit(browser, monitored, "sam", "?quiet") as quiet:
        lost = quiet.kernel()
        assert {kept, lost} <= kernels(monitored)
        wait_for(lambda: lost not in kernels(monitored), GONE_S)
    assert kept in kernels(monitored)


def test_the_monitor_is_restarted_without_a_login(monitored: PeopledYard, vera: Visit) -> None:
    """After a kill, `tiltyard up` has it back; an open page is reloaded and asks no password."""
    kernel = vera.kernel()
    old = {process.pid for process in monitored.processes("monitor")}
    monitored.kill("monitor")
    wait_for(lambda: bool({p.pid for p in monitored.processes("monitor")} - old), GONE_S)
    wait_for(lambda: vera.status("oauth_callback") == 400, GONE_S)
    vera.page.reload()
    assert vera.user() == "vera"
    assert vera.kernel() != kernel
    wait_for(lambda: kernel not in kernels(monitored), GONE_S)
