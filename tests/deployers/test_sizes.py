"""Size classes on a machine that is smaller than they are."""

from pathlib import Path

import pytest

from support import yard
from support.control import make_home
from support.sites import open_site
from tiltyard.types.registry import DeploymentState

pytestmark = pytest.mark.slow


def test_more_processors_than_there_are(tmp_path: Path, images_lock: Path) -> None:
    """A scorer may take what there is."""
    settings = make_home(
        tmp_path / "home",
        runtime="docker",
        images={"lock": str(images_lock)},
        sizes={"small": {"cpus": 4096.0}},
    )
    with open_site(settings, yard.Versions(tmp_path).folder(1)) as site:
        site.until(site.deploy(), DeploymentState.HEALTHY)
