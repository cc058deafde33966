"""A real Chromium, and people who log in with it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

from support.hub import PASSWORDS


@contextmanager
def chromium() -> Iterator[Browser]:
    """Give the system's Chromium, or the one that Playwright has installed."""
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=arguments
        )
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
