"""Keeps a model's summaries: minutes of changed chunks, then the hours and days they touch."""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from typing import TYPE_CHECKING

from tiltyard.errors import NotFoundError
from tiltyard.stores.base import DirtyChunk, Lease, Store, summarise_task
from tiltyard.types.registry import VersionManifest
from tiltyard.types.routes import ModelRoute
from tiltyard.worker.buckets import DAY, HOUR, bucket, spans
from tiltyard.worker.jobs import Job

if TYPE_CHECKING:
    from tiltyard.worker.chunks import Yardstick

log = logging.getLogger(__name__)

CHUNKS = 4
"""Chunks of one turn, so that a turn is shorter than a lease."""

REST = 3.0
"""Rest after a round, as a multiple of what it took: a growing chunk is not chased."""

LEAST_REST_S = 1.0

Buckets = dict[int, set[int]]
"""Version → starts of buckets."""


class Summariser(Job):
    """Summarises one model's chunks. Every write is absolute, and the mark is cleared last.

    Args:
        route: gives the model's newest route; None while there is none.
        versions: asks for every version of the model, by number.
    """

    def __init__(
        self,
        model: str,
        route: Callable[[], ModelRoute | None],
        versions: Callable[[], dict[int, VersionManifest]],
        store: Store,
    ) -> None:
        self.task = summarise_task(model)
        self.status = {"chunks": 0}
        self._model = model
        self._route = route
        self._store = store
        self._ask_for_versions = versions
        self._versions: dict[int, VersionManifest] = {}
        self._rest_until = 0.0

    def turn(self, lease: Lease) -> bool:
        """Summarise the oldest changed chunks."""
        if monotonic() < self._rest_until:
            return False
        begun = monotonic()
        dirty = self._store.dirty_chunks(self._model, CHUNKS)
        if dirty:
            self._summarise(lease, dirty)
        if full := len(dirty) == CHUNKS:
            return full
        self._rest_until = monotonic() + max(LEAST_REST_S, REST * (monotonic() - begun))
        return False

    def _summarise(self, lease: Lease, dirty: Sequence[DirtyChunk]) -> None:
        touched: Buckets = defaultdict(set)
        for chunk in dirty:
            for version, minutes in self._write_minutes(lease, chunk).items():
                touched[version] |= minutes
        for version, minutes in touched.items():
            self._merge_upwards(lease, version, minutes)
        for chunk in dirty:
            self._store.clear_dirty(lease, self._model, chunk)
        self.status["chunks"] += len(dirty)

    def _write_minutes(self, lease: Lease, chunk: DirtyChunk) -> Buckets:
        # It loads scikit-learn, for seconds in which relay and followers work already.
        from tiltyard.worker.chunks import summarise_chunk  # noqa: PLC0415

        rows = self._store.read_chunk(self._model, chunk.gateway, chunk.chunk)
        made_by = {record.version for record in rows.predictions} | rows.scores.keys()
        summaries = summarise_chunk(rows, chunk, self._yardstick(made_by))
        self._store.write_summaries(lease, self._model, chunk, summaries)
        touched: Buckets = defaultdict(set)
        for summary in summaries:
            touched[summary.version].add(summary.bucket)
        return touched

    def _merge_upwards(self, lease: Lease, version: int, minutes: Iterable[int]) -> None:
        """Make the hours and days of these minutes anew."""
        from tiltyard.worker.chunks import merged  # noqa: PLC0415  likewise

        hours = {bucket(minute, HOUR) for minute in minutes}
        for start, end in spans(hours, HOUR):
            rows = self._store.minutes(self._model, version, start, end)
            self._store.write_rollups(lease, self._model, version, "hour", merged(rows, HOUR))
        for start, end in spans({bucket(hour, DAY) for hour in hours}, DAY):
            rows = self._store.rollups(self._model, version, "hour", start, end)
            self._store.write_rollups(lease, self._model, version, "day", merged(rows, DAY))

    def _yardstick(self, needed: set[int]) -> "Yardstick":
        """Return what to measure with; control is asked only about versions not yet known."""
        from tiltyard.worker.chunks import Yardstick  # noqa: PLC0415  likewise

        route = self._route()
        if route is None:
            raise NotFoundError("route of model", self._model)
        if not needed <= self._versions.keys():
            self._versions = self._ask_for_versions()
        return Yardstick(route.task, route.call_schema, self._versions)
