"""A served control, and models in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.control import Control, make_home, serve, write_bikes


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    """A control of its own for a test; it waits 0.5 s for gateways."""
    settings = make_home(tmp_path, control={"confirm_timeout_s": 0.5})
    with serve(settings) as served:
        yield served


@pytest.fixture
def bikes(control: Control) -> str:
    """A regression model with a history, owned by the group lab."""
    write_bikes(control)
    return "bikes"


@pytest.fixture
def small_control(tmp_path: Path) -> Iterator[Control]:
    """A control that takes uploads of 1 MB, with a history of bikes."""
    settings = make_home(tmp_path / "small", control={"max_upload_mb": 1})
    with serve(settings) as served:
        write_bikes(served)
        yield served


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Control]:
    """A control for a module whose tests leave nothing behind."""
    with serve(make_home(tmp_path_factory.mktemp("shared"))) as served:
        yield served
