"""Live rows of any range from summaries: by bucket for a chart, in one for metrics."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tiltyard.stores.base import Store
from tiltyard.types.monitor import Resolution

if TYPE_CHECKING:
    from tiltyard.evaluation.summaries import Summary

MINUTE = 60_000_000
WIDTHS = {
    Resolution.MINUTE: MINUTE,
    Resolution.HOUR: 60 * MINUTE,
    Resolution.DAY: 24 * 60 * MINUTE,
}
"""Microseconds of a bucket, the finest first."""

INPUTS = 0
"""The version under which the worker summarises a model's inputs."""

Span = tuple[Resolution, int, int]
"""Buckets of one width with start ≤ bucket < end."""


def resolution_for(start: int, end: int, points: int) -> Resolution:
    """Return the finest buckets of which a range has at most ``points``; days if none has."""
    for resolution, width in WIDTHS.items():
        if (end - start) / width <= points:
            return resolution
    return Resolution.DAY


def buckets(store: Store, model: str, version: int, span: Span) -> "Iterator[tuple[int, Summary]]":
    """Yield (start, summary) of the buckets that a range touches, in order of time."""
    from tiltyard.evaluation.summaries import decode_summary, merge  # noqa: PLC0415  see performance

    found: Summary | None = None
    begun = 0
    for at, payload in _payloads(store, model, version, span):
        summary = decode_summary(payload)
        if found is not None and at == begun:
            found = merge(found, summary)
            continue
        if found is not None:
            yield begun, found
        begun, found = at, summary
    if found is not None:
        yield begun, found


def whole(store: Store, model: str, version: int, start: int, end: int) -> "Summary":
    """Return the summary of a range, which is widened to whole minutes.

    It is put together of the widest buckets that fit, so that it takes at most two days' minutes
    and hours beside the days.
    """
    from tiltyard.evaluation.summaries import merge_all  # noqa: PLC0415  see performance

    return merge_all(
        summary for span in cover(start, end) for _, summary in buckets(store, model, version, span)
    )


def cover(start: int, end: int) -> list[Span]:
    """Return the widest buckets that make up a range, in order of time."""
    start, end = start - start % MINUTE, end + -end % MINUTE
    return list(_cover(start, end, list(reversed(WIDTHS.items()))))


def _cover(start: int, end: int, widths: list[tuple[Resolution, int]]) -> Iterator[Span]:
    (resolution, width), *finer = widths
    first, last = start + -start % width, end - end % width
    if finer and first >= last:
        yield from _cover(start, end, finer)
        return
    if start < first:
        yield from _cover(start, first, finer)
    if first < last:
        yield resolution, first, last
    if last < end:
        yield from _cover(last, end, finer)


def _payloads(store: Store, model: str, version: int, span: Span) -> list[tuple[int, bytes]]:
    resolution, start, end = span
    start -= start % WIDTHS[resolution]
    if resolution is Resolution.MINUTE:
        return store.minutes(model, version, start, end)
    return store.rollups(model, version, resolution, start, end)
