"""Real Chromium, driven by Playwright; every host that a page asks for is noted."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from support.hub import PASSWORDS

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
WAIT_MS = 60_000

expect.set_options(timeout=WAIT_MS)  # a machine with other work is slow


@contextmanager
def chromium() -> Iterator[Browser]:
    """Give the machine's Chromium, or the one that Playwright has installed."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def log_in(page: Page, url: str, name: str, password: str | None = None) -> None:
    """Open a page of the hub's or a service's, and fill in the login form that comes first."""
    page.goto(url)
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password or PASSWORDS[name])
    page.get_by_role("button", name="Sign in").click()


class Window:
    """A person's browser window: cookies of its own.

    Attributes:
        hosts: that were asked for anything.
    """

    def __init__(self, browser: Browser, url: str, *, dark: bool = False, width: int = 1280):
        self.url = url
        self.hosts: set[str] = set()
        self.context: BrowserContext = browser.new_context(
            color_scheme="dark" if dark else "light", viewport={"width": width, "height": 900}
        )
        self.context.set_default_timeout(WAIT_MS)
        self.context.on("request", lambda request: self._note(request.url))
        self.page: Page = self.context.new_page()

    def _note(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"data", "blob"}:
            self.hosts.add(parts.hostname or "")

    def login(self, name: str, password: str | None = None) -> None:
        """Log in at the hub."""
        log_in(self.page, f"{self.url}/hub/login", name, password)
        self.page.wait_for_url(lambda url: "/hub/login" not in url)

    def open_monitor(self) -> Page:
        """Open the Monitor and wait until it shows something."""
        self.page.goto(f"{self.url}/services/monitor/")
        self.page.wait_for_selector(".ty-judgement table")
        return self.page

    def close(self) -> None:
        """Close the window."""
        self.context.close()


def run_all(page: Page) -> None:
    """Choose Run, Run All Cells; again, if JupyterLab was not ready to run anything yet."""
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle")
    # Asked for by a JupyterLab whose kernel is not quite there; it blocks all else.
    choose = page.locator(".jp-Dialog").get_by_role("button", name="Select", exact=True)
    page.add_locator_handler(choose, lambda button: button.click())
    begun = page.locator(".jp-InputPrompt").filter(has_text=re.compile(r"\[(\*|1)\]"))
    for _ in range(10):
        page.locator(".jp-NotebookPanel .jp-MarkdownCell").first.click()
        page.locator("#jp-MainMenu").get_by_text("Run", exact=True).click()
        page.get_by_role("menuitem").filter(has_text=re.compile(r"^Run All Cells\s*$")).click()
        try:
            begun.first.wait_for(timeout=5_000)
        except PlaywrightTimeoutError:
            page.keyboard.press("Escape")
        else:
            return
    pytest.fail("JupyterLab runs no cells")
