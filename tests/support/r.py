"""R with the package `tiltyard`, as a session of a person has it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "spawner_images" / "lab-r" / "tiltyard"


@dataclass(frozen=True)
class R:
    """R with the package in a library of its own."""

    library: Path

    @property
    def environment(self) -> dict[str, str]:
        """What an R session needs to find the package, and the package to find Python."""
        return {
            "R_LIBS": str(self.library),
            "TILTYARD_PYTHON": sys.executable,
            "LC_ALL": "C.UTF-8",
        }

    def run(self, code: str, folder: Path, environment: Mapping[str, str] | None = None) -> str:
        """Run a script and return what it printed; an error of it is the test's."""
        script = folder / "script.R"
        script.write_text("library(tiltyard)\n" + code, encoding="utf-8")
        ended = subprocess.run(
            ["Rscript", "--no-save", "--no-restore", str(script)],
            cwd=folder,
            env={**os.environ, **self.environment, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout


def install(library: Path) -> R:
    """Install the package into a library."""
    library.mkdir()
    subprocess.run(
        ["R", "CMD", "INSTALL", "--no-docs", "--no-test-load", f"--library={library}", PACKAGE],
        check=True,
        capture_output=True,
    )
    return R(library)
