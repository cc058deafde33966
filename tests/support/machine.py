"""A machine for scripts where nearly everything is missing."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOOLS = (
    *("bash", "dirname", "cat", "cut", "sha256sum", "sed", "grep"),
    *("sleep", "setsid", "mkdir", "rm", "touch", "tail", "uname"),
)


class Machine:
    """A PATH of a few tools; what they are asked is noted in a file."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.asked = folder / "asked"
        self.bin.mkdir()
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found is not None
            (self.bin / tool).symlink_to(found)

    def add(self, name: str, script: str) -> None:
        """Put a program there."""
        path = self.bin / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >>{self.asked}\n{script}\n')
        path.chmod(0o755)

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command with this PATH only."""
        return subprocess.run(
            [str(self.bin / "bash"), *words],
            env={"PATH": str(self.bin), "HOME": os.environ["HOME"]},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
