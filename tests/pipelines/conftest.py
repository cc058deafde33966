"""A control and a lake for the real pipelines."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.control import Control, make_home, serve
from tiltyard.lake import load_folder
from tiltyard.settings import Settings

PIPELINES = Path(__file__).parents[2] / "pipelines"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home with the embedded lake."""
    home = tmp_path_factory.mktemp("home")
    runner = {"heartbeat_s": 0.3, "poll_s": 0.1}
    settings = make_home(home, pipelines={"path": PIPELINES}, runner=runner)
    load_folder(settings.lake_url, PIPELINES / "data")
    return settings


@pytest.fixture(scope="module")
def control(settings: Settings) -> Iterator[Control]:
    """One control for all pipelines of a module."""
    with serve(settings) as served:
        yield served
