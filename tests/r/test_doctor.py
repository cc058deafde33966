"""What `tiltyard doctor` says of R."""

from pathlib import Path

import pytest

from tiltyard.cli.checks_r import check_r
from tiltyard.settings import Settings
from tiltyard.training import r_process
from tiltyard.training.r_process import Installed


@pytest.mark.parametrize(
    ("packages", "told", "mend"),
    [
        ({"IRkernel": "1", "tiltyard": "1"}, "with its kernel and package", ""),
        ({"IRkernel": "1"}, "without tiltyard", "R CMD INSTALL spawner_images/lab-r/tiltyard"),
        ({"tiltyard": "1"}, "without IRkernel", "apt-get install r-cran-irkernel"),
    ],
)
def test_r_of_this_host(
    monkeypatch: pytest.MonkeyPatch, packages: dict[str, str], told: str, mend: str
) -> None:
    """What lacks is no fault: the rest works without it."""
    monkeypatch.setattr(r_process, "installed_r", lambda: Installed("R version 4", packages))
    (found,) = check_r(Settings())
    assert found.ok
    assert told in found.what
    assert found.mend == mend


def test_no_r(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how it is installed."""
    r_process.installed_r.cache_clear()
    monkeypatch.setenv("PATH", "/nowhere")
    (found,) = check_r(Settings())
    assert (found.ok, found.what.split(":")[0]) == (True, "not installed")
    assert "apt-get install r-base-core" in found.mend


def test_images_of_r(tmp_path: Path) -> None:
    """With containers R is in its images."""
    settings = Settings(runtime="docker", images={"lock": str(tmp_path / "images.lock")})
    (found,) = check_r(settings)
    assert found.ok
    assert found.mend == "tiltyard images build scorer-r lab-r"
