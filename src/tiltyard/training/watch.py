"""Reads how far a notebook is, from lines that its process appends to a file."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tiltyard.errors import InvalidInputError
from tiltyard.training.folder import open_plain
from tiltyard.types.registry import RunProgress

MOST_BYTES = 4_000_000
"""What is read at a look; a longer line is none of ours."""


class Watch:
    """Reads the lines; whatever is wrong with them is passed over.

    Args:
        path: of the file; it need not be there yet.
        on_progress: is told each change.
    """

    def __init__(self, path: Path, on_progress: Callable[[RunProgress], None]) -> None:
        self.progress = RunProgress()
        self._path = path
        self._on_progress = on_progress
        self._offset = 0
        self._last: dict[str, Any] = {}

    def look(self) -> None:
        """Read on, and tell of a change."""
        try:
            lines = self._lines()
        except (FileNotFoundError, InvalidInputError):
            return
        for line in lines:
            self._take(line)
        told = {name: self._last[name] for name in ("done", "total", "note") if name in self._last}
        try:
            progress = RunProgress(**told)
        except ValidationError:
            return
        if progress != self.progress:
            self.progress = progress
            self._on_progress(progress)

    def error(self, code: int) -> str | None:
        """Return why the notebook failed, after the process's end with this exit code."""
        if not self._last.get("ended"):
            return f"the notebook's process died (exit code {code}); the log may say why"
        error = self._last.get("error")
        return None if error is None else str(error)

    def _lines(self) -> list[bytes]:
        with open_plain(self._path) as file:
            file.seek(self._offset, os.SEEK_SET)
            piece = file.read(MOST_BYTES)
        whole = piece.rfind(b"\n") + 1 or (len(piece) if len(piece) == MOST_BYTES else 0)
        self._offset += whole
        return piece[:whole].splitlines()

    def _take(self, line: bytes) -> None:
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            return
        if isinstance(told, dict):
            self._last = told
