"""The images that tests run containers from."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECORD = ROOT / ".venv" / "images.lock"


@pytest.fixture(scope="session")
def images_lock() -> Path:
    """Return the record of images that are there: built once, unless a file of them is named."""
    named = os.environ.get("TILTYARD_TEST_IMAGES")
    if named:
        return Path(named)
    if not RECORD.exists():
        subprocess.run(
            [ROOT / ".venv/bin/tiltyard", "images", "build", "--from-debian"],
            cwd=ROOT,
            env={**os.environ, "TILTYARD_IMAGES__LOCK": str(RECORD)},
            check=True,
        )
    return RECORD
