"""A fresh registry on each database that is supported."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tiltyard.registry import Registry, open_registry


@pytest.fixture(params=["sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database of its own; another kind of database is another parameter."""
    return {"sqlite": f"sqlite:///{tmp_path / 'home' / 'registry.db'}"}[request.param]


@pytest.fixture
def registry(url: str) -> Iterator[Registry]:
    """A migrated, empty registry."""
    with open_registry(url, migrate=True) as opened:
        yield opened
