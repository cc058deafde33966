"""The contract of every store. SQLite and Cassandra are the same to their callers.

All methods block and may be called from any thread. Times are UTC microseconds (int).
Frames are Arrow; a batch holds at most ``BATCH_ROWS`` rows.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence

import msgspec
import pyarrow as pa

from tiltyard.types.records import LogRecord, PredictionRecord, Score
from tiltyard.types.registry import HistorySnapshot
from tiltyard.types.schema import CallSchema

BATCH_ROWS = 65_536


class Lease(msgspec.Struct, frozen=True):
    """The right to do a task for a while. A write under a lower fence than the task's loses."""

    task: str
    holder: str
    fence: int


def relay_task(gateway: int) -> str:
    """Name the task whose lease ``append`` needs."""
    return f"relay:{gateway}"


def follow_task(model: str, version: int) -> str:
    """Name the task whose lease ``write_scores`` needs."""
    return f"follow:{model}:{version}"


def summarise_task(model: str) -> str:
    """Name the task whose lease the writes of summaries need."""
    return f"summarise:{model}"


class Window(msgspec.Struct, frozen=True):
    """Half-open range of bucket times (event time, else arrival): start ≤ t < end.

    Attributes:
        known_by: count only actuals known until then (``known_at`` ≤ known_by).
    """

    start: int | None = None
    end: int | None = None
    known_by: int | None = None


class SummaryRow(msgspec.Struct, frozen=True):
    """The absolute summary of one chunk's rows in one minute, for one version.

    Attributes:
        version: 0 for what belongs to the model as such (the inputs).
        bucket: start of the minute, in microseconds.
        payload: an encoded ``evaluation.summaries.Summary``.
    """

    gateway: int
    chunk: int
    version: int
    bucket: int
    payload: bytes


class DirtyChunk(msgspec.Struct, frozen=True):
    """A chunk to summarise; ``mark`` grows with every change of it."""

    gateway: int
    chunk: int
    mark: int


class ChunkRows(msgspec.Struct, frozen=True):
    """One chunk of the log with what became known of it.

    Attributes:
        predictions: in order of seq.
        actuals: seq → last known actual.
        scores: version → seq → score of a follower.
    """

    predictions: list[PredictionRecord]
    actuals: dict[int, bool | int | float | str]
    scores: dict[int, dict[int, Score]]


class Store(ABC):
    """History, live log, followers' scores, actuals, summaries and leases."""

    # history

    @abstractmethod
    def put_history(
        self,
        model: str,
        batches: Iterator[pa.RecordBatch],
        *,
        event_time: str | None,
        created_by: str,
        latest: bool = True,
    ) -> HistorySnapshot:
        """Keep a snapshot, all or nothing, and make it the model's latest.

        With ``latest=False`` the latest stays what it is: the snapshot is read by its digest
        only. So a retraining keeps history plus live rows, and the next one does not add live
        rows to them again.
        """

    @abstractmethod
    def history(self, model: str, digest: str | None = None) -> HistorySnapshot | None:
        """Return a snapshot, by default the latest."""

    @abstractmethod
    def read_history(
        self, model: str, digest: str, columns: Sequence[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield a snapshot's rows in the order in which they were put."""

    @abstractmethod
    def put_history_predictions(
        self, model: str, version: int, digest: str, batches: Iterator[pa.RecordBatch]
    ) -> None:
        """Keep a version's predictions of a snapshot: one row for each of its rows, in order."""

    @abstractmethod
    def read_history_predictions(self, model: str, version: int) -> Iterator[pa.RecordBatch]:
        """Yield them: ``value`` and, of a classifier, ``p0`` … in the order of its classes."""

    # the live log

    @abstractmethod
    def append(self, lease: Lease, gateway: int, records: Sequence[LogRecord]) -> int:
        """Keep records (once, by key) and move the gateway's watermark to the last seq.

        Returns:
            How many of the records were new.

        Raises:
            StaleLeaseError: the task has been given to another since.
        """

    @abstractmethod
    def watermarks(self) -> dict[int, int]:
        """Return for each gateway the seq up to which everything is kept."""

    @abstractmethod
    def log(
        self, model: str, gateway: int, after: int, limit: int, upto: int | None = None
    ) -> list[PredictionRecord]:
        """Return predictions with after < seq ≤ upto (default: the watermark), in order."""

    @abstractmethod
    def position(self, model: str, at: int) -> dict[int, int]:
        """Return the cursor from which a follower sees every row with bucket time ≥ ``at``."""

    # followers

    @abstractmethod
    def cursor(self, model: str, version: int) -> dict[int, int] | None:
        """Return {gateway: seq} up to which the version has scored; None if it never began."""

    @abstractmethod
    def write_scores(
        self,
        lease: Lease,
        model: str,
        version: int,
        scores: Sequence[Score],
        cursor: Mapping[int, int],
    ) -> None:
        """Keep scores (once, by version and key), then move the cursor.

        Raises:
            StaleLeaseError: the task has been given to another since.
        """

    @abstractmethod
    def set_cursor(self, model: str, version: int, cursor: Mapping[int, int]) -> None:
        """Place a follower's cursor: at its deployment, or back for a replay.

        Ends the lease ``follow:<model>:<version>`` whoever holds it, and raises its fence, so
        that a batch under way with the old cursor loses.
        """

    # queries

    @abstractmethod
    def scored(
        self, model: str, version: int, window: Window, limit: int | None = None
    ) -> pa.Table:
        """Return the live rows that a version answered or followed, by bucket time.

        Columns: gateway, seq, at, received_at (int64), version_answered (int64), value,
        p0 …, refusal (string), actual (null where none is known), known_at. ``value`` and
        ``actual`` are float64 for numbers and bools are kept; text for text.
        With ``limit`` the newest rows.
        """

    @abstractmethod
    def live_rows(
        self, model: str, schema: CallSchema, window: Window, *, with_actuals_only: bool = False
    ) -> Iterator[pa.RecordBatch]:
        """Yield rows as sent, typed by the call schema, plus the target's last known actual."""

    @abstractmethod
    def event_range(self, model: str) -> tuple[int, int] | None:
        """Return the oldest and newest bucket time of the live log."""

    @abstractmethod
    def counts(self, model: str) -> dict[str, int]:
        """Return ``predictions``, ``with_actual``, ``unknown_actuals`` (ids not in the log)."""

    # summaries: payloads are opaque here, the worker merges them

    @abstractmethod
    def dirty_chunks(self, model: str, limit: int) -> list[DirtyChunk]:
        """Return chunks whose rows, scores or actuals changed since they were summarised."""

    @abstractmethod
    def read_chunk(self, model: str, gateway: int, chunk: int) -> ChunkRows:
        """Return all that is known of one chunk's predictions."""

    @abstractmethod
    def write_summaries(
        self, lease: Lease, model: str, dirty: DirtyChunk, rows: Sequence[SummaryRow]
    ) -> None:
        """Replace a chunk's minute summaries by absolute ones."""

    @abstractmethod
    def minutes(self, model: str, version: int, start: int, end: int) -> list[tuple[int, bytes]]:
        """Return (minute, payload) of every chunk with start ≤ minute < end."""

    @abstractmethod
    def write_rollups(
        self,
        lease: Lease,
        model: str,
        version: int,
        granularity: str,
        rows: Sequence[tuple[int, bytes]],
    ) -> None:
        """Replace the merged summaries of these ``hour`` or ``day`` buckets."""

    @abstractmethod
    def rollups(
        self, model: str, version: int, granularity: str, start: int, end: int
    ) -> list[tuple[int, bytes]]:
        """Return (bucket, payload) of the ``hour`` or ``day`` buckets in a range."""

    @abstractmethod
    def clear_dirty(self, lease: Lease, model: str, dirty: DirtyChunk) -> None:
        """Clear a chunk's mark, unless it has changed again since."""

    # leases

    @abstractmethod
    def acquire(self, task: str, holder: str, seconds: float) -> Lease | None:
        """Take or renew a lease; None while another holds it."""

    @abstractmethod
    def release(self, lease: Lease) -> None:
        """Give a lease back."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""
