"""Tries a version's folder in a scorer and hands it to control."""

import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from tiltyard.client.connect import connect
from tiltyard.errors import TiltyardError, TimedOutError

CHECK_TIMEOUT_S = 600.0


def check_in_scorer(folder: Path) -> None:
    """Let a scorer of its own load the version and repeat the golden rows.

    It runs as deployed scorers do, without the notebook's folder on its path, so that a module
    that is missing there is missing here.

    Raises:
        TiltyardError: with what the scorer said.
        TimedOutError: it did not end.
    """
    command = [sys.executable, "-P", "-m", "tiltyard.scoring", "--folder", str(folder), "--check"]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    try:
        ended = subprocess.run(  # noqa: S603  our own program
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CHECK_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TimedOutError(
            f"A scorer did not repeat the golden rows in {CHECK_TIMEOUT_S:.0f} s."
        ) from None
    if ended.returncode:
        said = ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"]
        raise TiltyardError(f"A scorer refuses this version: {said[-1].removeprefix('error: ')}")


def upload_folder(model: str, folder: Path) -> int:
    """Register a version at control; return its number."""
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                tar.add(path, path.relative_to(folder).as_posix(), recursive=False)
        file.seek(0)
        with connect() as control:
            return control.add_version(model, file).version
