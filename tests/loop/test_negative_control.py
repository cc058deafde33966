"""The kill tests can fail: a gateway that answers before it writes is caught by them."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from loop.checks import lost, relayed
from loop.conftest import Furnish
from loop.yard import HERE, Load, Yard, wait_for
from support.raw import read
from support.yard import MODEL

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    """Give a running Tiltyard whose gateway is hasty; see ``hasty/sitecustomize.py``."""
    path = os.pathsep.join([str(HERE / "hasty"), os.environ.get("PYTHONPATH", "")])
    yard = Yard(tmp_path, PYTHONPATH=path.rstrip(os.pathsep))
    try:
        yard.start()
        yield yard
    finally:
        yard.stop()


def test_a_gateway_that_answers_too_early_is_caught(
    yard: Yard, furnish: Furnish, tmp_path: Path
) -> None:
    """After one kill under load the same comparison names what was acknowledged and lost."""
    load = Load(yard, MODEL, furnish(yard, 1), tmp_path / "load")
    wait_for(lambda: load.answers() > 300, 60, "answers")
    yard.kill("gateway")
    before = load.answers()
    wait_for(lambda: load.answers() > before + 100, 60, "answers again")
    load.end()
    wait_for(partial(relayed, yard, load), 60, "relayed")
    missing = lost(load.acknowledged(), read(yard.home / "store.db", MODEL))
    assert 0 < len(missing) < len(load.acknowledged()) / 2
