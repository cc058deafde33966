"""How versions do: metrics over history and live data, drift, and the check of both.

``tiltyard.evaluation`` is imported when it is first needed: scikit-learn takes seconds, and
nobody who starts control waits for metrics.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tiltyard.control import tiers
from tiltyard.errors import ConflictError, InvalidInputError, NotFoundError
from tiltyard.registry import Registry
from tiltyard.stores.base import Store, Window
from tiltyard.types.registry import Model, Version
from tiltyard.types.schema import CallSchema, Task

if TYPE_CHECKING:
    from tiltyard.evaluation.check import CheckReport
    from tiltyard.evaluation.summaries import Summary

DAY_US = 86_400_000_000


class Performance:
    """Judges versions by the rows of the store.

    Metrics are exact: they are computed from the raw rows of their window.
    """

    def __init__(self, registry: Registry, store: Store) -> None:
        self._registry = registry
        self._store = store
        # A version's history never changes, and reading it is most of the work of a check and
        # of a dashboard's table.
        self._on_history = lru_cache(maxsize=128)(self._judge_history)
        self._reference = lru_cache(maxsize=32)(self._summarise_history)

    def on_history(self, model: Model, version: Version, window: Window) -> dict[str, Any]:
        """Return the metrics of a version's predictions for the history it was trained on.

        Raises:
            NotFoundError: no predictions of a history were logged with the version.
            ConflictError: a window of a history without event time.
        """
        digest = version.manifest.provenance.history_digest
        if digest is None:
            raise NotFoundError("history of", f"{model.name} version {version.version}")
        return dict(self._on_history(model.name, version.version, digest, window))

    def _judge_history(self, name: str, number: int, digest: str, window: Window) -> dict[str, Any]:
        model = self._registry.models.get(name)
        version = self._registry.versions.get(name, number)
        call = model.call_schema
        names = [call.target, *([call.event_time] if call.event_time else [])]
        history = pa.Table.from_batches(self._store.read_history(model.name, digest, names))
        made = pa.Table.from_batches(
            self._store.read_history_predictions(model.name, version.version)
        )
        within = _within(history, call, window)
        return _metrics(model.task, version, history[call.target], made, within)

    def on_live(self, model: Model, version: Version, window: Window) -> dict[str, Any]:
        """Return the metrics of the live rows that a version answered or followed."""
        made = self._store.scored(model.name, version.version, window)
        return _metrics(model.task, version, made["actual"], made)

    def from_summaries(
        self, model: Model, version: Version, window: Window
    ) -> tuple[dict[str, Any], dict[str, float]]:
        """Return metrics of live rows from summaries, and how far some may be off.

        The window is widened to whole minutes. What the worker has not summarised yet, of the
        last seconds, is not in them.

        Raises:
            InvalidInputError: ``known_by``: summaries know the last actuals only.
        """
        from tiltyard.evaluation.from_sums import metrics_from, roc_auc_from  # noqa: PLC0415

        if window.known_by is not None:
            raise InvalidInputError("known_by needs each row: ask with basis=rows.")
        known = self._store.event_range(model.name)
        start, end = (0, 0) if known is None else (known[0], known[1] + 1)
        start = start if window.start is None else max(window.start, start)
        end = end if window.end is None else min(window.end, end)
        # An empty range must not be widened to a minute.
        summary = tiers.whole(self._store, model.name, version.version, start, max(start, end))
        metrics = metrics_from(summary, model.task)
        if summary.classes is None or (found := roc_auc_from(summary.classes)) is None:
            return metrics, {}
        return metrics | {"roc_auc": found[0]}, {"roc_auc": found[1]}

    def check(self, model: Model) -> "CheckReport":
        """Compare the champion's live rows up to the newest event with its hold-out.

        The whole history serves where the hold-out lacks the metric: the champion was fitted
        on it, so that it flatters.

        Raises:
            ConflictError: there is no champion.
        """
        from tiltyard.evaluation.check import check  # noqa: PLC0415

        if model.champion is None:
            raise ConflictError(f"{model.name} has no champion to check: promote a version.")
        champion = self._registry.versions.get(model.name, model.champion)
        window = self._latest(model)
        return check(
            model.thresholds,
            self._expected(model, champion),
            self.on_live(model, champion, window),
            self._drift(model, champion, window),
        )

    def _latest(self, model: Model) -> Window:
        found = self._store.event_range(model.name)
        if found is None:
            return Window()
        reach = int(model.thresholds.window_days * DAY_US)
        return Window(start=found[1] - reach, end=found[1] + 1)

    def _expected(self, model: Model, champion: Version) -> dict[str, Any]:
        held_out = champion.manifest.metrics
        if held_out.get(model.thresholds.metric) is not None:
            return held_out
        return self.on_history(model, champion, Window())

    def _drift(self, model: Model, champion: Version, window: Window) -> dict[str, float]:
        from tiltyard.evaluation.drift import input_drift  # noqa: PLC0415

        if champion.manifest.provenance.history_digest is None:
            return {}
        schema = _inputs(model, champion)
        live = self._store.live_rows(model.name, schema, window)
        reference = self._reference(model.name, champion.version)
        return input_drift(reference, _summary(live, schema, champion))

    def _summarise_history(self, model: str, version: int) -> "Summary":
        found = self._registry.versions.get(model, version)
        digest = found.manifest.provenance.history_digest or ""
        schema = _inputs(self._registry.models.get(model), found)
        names = [column.name for column in schema.columns]
        return _summary(self._store.read_history(model, digest, names), schema, found)


def _inputs(model: Model, version: Version) -> CallSchema:
    return model.call_schema.model_copy(update={"columns": version.manifest.signature.inputs})


def _summary(batches: Iterable[pa.RecordBatch], schema: CallSchema, version: Version) -> "Summary":
    from tiltyard.evaluation.summaries import merge_all, summarise_columns  # noqa: PLC0415

    edges = version.manifest.histograms
    return merge_all(
        summarise_columns(batch.to_pydict(), batch.num_rows, schema, edges) for batch in batches
    )


def _within(history: pa.Table, call: CallSchema, window: Window) -> pa.ChunkedArray | None:
    if window.start is None and window.end is None:
        return None
    if call.event_time is None:
        raise ConflictError("This history has no event time to cut it by: leave the window out.")
    at = history[call.event_time].cast(pa.int64())
    start = -(2**63) if window.start is None else window.start
    end = 2**63 - 1 if window.end is None else window.end
    return pc.and_(pc.greater_equal(at, start), pc.less(at, end))


def _metrics(
    task: Task,
    version: Version,
    actual: pa.ChunkedArray,
    made: pa.Table,
    within: pa.ChunkedArray | None = None,
) -> dict[str, Any]:
    from tiltyard.evaluation.metrics import metrics_for  # noqa: PLC0415

    if within is not None:
        actual, made = actual.filter(within), made.filter(within)
    classes = version.manifest.signature.output.classes
    chances = [made[f"p{i}"] for i in range(len(classes or ())) if f"p{i}" in made.column_names]
    return metrics_for(
        task,
        actual.to_pylist(),
        made["value"].to_pylist(),
        _columns(chances) if chances else None,
        classes,
    )


def _columns(arrays: list[pa.ChunkedArray]) -> Any:
    return np.column_stack([a.to_numpy() for a in arrays])
