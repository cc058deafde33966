"""Versions built once, and a store for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.yard import Versions
from tiltyard.stores import open_store
from tiltyard.stores.base import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Give an empty store in ``store.db``."""
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    yield store
    store.close()


@pytest.fixture(scope="session")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Versions:
    """Give the versions."""
    return Versions(tmp_path_factory.mktemp("versions"))
