"""How much of the disk a run takes."""

import os
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

BLOCK = 512
LEAST = 4096
"""Bytes that a file or folder counts for, even if it is empty: it takes an inode."""

LEAST_FREE_MB = 200
"""Runs end before they fill a disk that others need."""

_EVERY_S = 1.0
_REST = 10
"""A look is followed by a rest of this many times its length."""


class Usage:
    """Says when folders have become too large; looks now and then.

    Args:
        folders: to be looked into; links are not followed.
        most_mb: what they may take together.
    """

    def __init__(self, folders: Iterable[Path], most_mb: int) -> None:
        self._folders = tuple(folders)
        self._most_mb = most_mb
        self._next = 0.0

    def trouble(self) -> str | None:
        """Return a sentence if they were too large, or the disk too full, at the last look."""
        began = time.monotonic()
        if began < self._next:
            return None
        most = self._most_mb * 1_000_000
        used = 0
        for size in _sizes(self._folders):
            used += size
            if used > most:
                return f"its files take more than {self._most_mb} MB (runner.disk_mb)"
        for folder in self._folders:
            # Files that are removed and still open are seen only by what is left.
            if folder.exists() and shutil.disk_usage(folder).free < LEAST_FREE_MB * 1_000_000:
                return f"less than {LEAST_FREE_MB} MB are free on the disk of {folder}"
        ended = time.monotonic()
        self._next = ended + max(_EVERY_S, _REST * (ended - began))
        return None


def _sizes(folders: Iterable[Path]) -> Iterator[int]:
    for folder in folders:
        for path, folders_, files in os.walk(folder):
            for name in (*folders_, *files):
                try:
                    found = os.lstat(os.path.join(path, name))  # noqa: PTH118  for millions
                except FileNotFoundError:
                    continue
                yield max(LEAST, found.st_blocks * BLOCK)
