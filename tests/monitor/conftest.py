"""A Tiltyard whose Monitor shows a notebook of the tests, and browsers that visit it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from support.browser import chromium
from support.monitor import SECRETS, write_notebook
from support.people import PeopledYard

IDLE_S = 10
"""On a loaded machine a page takes some seconds from its kernel's start to its first tick."""


@pytest.fixture(scope="module")
def monitored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PeopledYard]:
    """Give a running Tiltyard; its Monitor ends kernels that are silent for ten seconds."""
    folder = tmp_path_factory.mktemp("monitored")
    yard = PeopledYard(
        folder,
        TILTYARD_MONITOR__NOTEBOOK=str(write_notebook(folder / "notebook")),
        TILTYARD_MONITOR__IDLE_TIMEOUT_S=str(IDLE_S),
        **SECRETS,
    )
    try:
        yard.start()
        yard.add_people()
        yield yard
    finally:
        yard.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give a real Chromium; Playwright's loop must not run on beside other tests."""
    with chromium() as opened:
        yield opened
