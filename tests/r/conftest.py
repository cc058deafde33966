"""One installed R package for all tests."""

import pytest

from support.r import R, install


@pytest.fixture(scope="session")
def r(tmp_path_factory: pytest.TempPathFactory) -> R:
    """R with the package."""
    return install(tmp_path_factory.mktemp("r") / "library")
