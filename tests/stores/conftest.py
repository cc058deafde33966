"""Every contract test runs on every kind of store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tiltyard.stores import open_store
from tiltyard.stores.base import Store

KINDS = ("sqlite",)


@pytest.fixture(params=KINDS)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a new, empty store of each kind."""
    return f"{request.param}:///{tmp_path / 'store.db'}"


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """Return a new, empty store of each kind."""
    store = open_store(store_url)
    yield store
    store.close()
