"""A served control with pipelines of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.control import Control, make_home, serve
from tiltyard.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home with a set-up registry and an empty folder of pipelines."""
    (tmp_path / "pipelines").mkdir()
    return make_home(tmp_path / "home", pipelines={"path": tmp_path / "pipelines"})


@pytest.fixture
def control(settings: Settings) -> Iterator[Control]:
    """A control of its own for a test."""
    with serve(settings) as served:
        yield served
