"""The images that tests run containers from."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECORD = ROOT / ".venv" / "images.lock"
HOME = ROOT / ".venv" / "images"
ROOTED = os.geteuid() == 0
"""Debootstrap needs root; others build on the setting's base image."""


@pytest.fixture(scope="session")
def images_lock() -> Path:
    """Return the record of images built from this source; seconds when nothing has changed."""
    named = os.environ.get("TILTYARD_TEST_IMAGES")
    if named:
        return Path(named)
    subprocess.run(
        [ROOT / ".venv/bin/tiltyard", "images", "build", *(["--from-debian"] if ROOTED else [])],
        cwd=ROOT,
        env={**os.environ, "TILTYARD_HOME": str(HOME), "TILTYARD_IMAGES__LOCK": str(RECORD)},
        check=True,
    )
    return RECORD
