"""Options of every test."""

import pytest
from hypothesis import HealthCheck, settings

from support.images import images_lock

__all__ = ["images_lock"]

settings.register_profile("loaded", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("loaded")  # a machine with other work is slow, and no test is wrong for it


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--long``: soak tests run all their rounds."""
    parser.addoption("--long", action="store_true", help="run all rounds of the soak tests")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long tests out unless asked for; they are deselected, not skipped."""
    if config.getoption("--long"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    items[:] = [item for item in items if not item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=long)


@pytest.fixture(scope="session")
def long_rounds(request: pytest.FixtureRequest) -> bool:
    """Whether soak tests run all their rounds."""
    return bool(request.config.getoption("--long"))
