"""Buckets of time: UTC microseconds, by their start."""

from collections.abc import Iterable

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def bucket(at: int, width: int) -> int:
    """Return the start of the bucket that holds a time."""
    return at - at % width


def spans(starts: Iterable[int], width: int) -> list[tuple[int, int]]:
    """Return (start, end) of each run of neighbouring buckets."""
    found: list[tuple[int, int]] = []
    for start in sorted(starts):
        begin = found.pop()[0] if found and found[-1][1] == start else start
        found.append((begin, start + width))
    return found
