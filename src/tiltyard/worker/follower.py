"""Scores the live log with one version: shadow scoring and replay are the same code."""

import logging
from collections.abc import Mapping, Sequence
from time import monotonic

from tiltyard.stores.base import Lease, Store, follow_task
from tiltyard.types.records import PredictionRecord, Score
from tiltyard.types.routes import VersionRoute
from tiltyard.worker.jobs import Job
from tiltyard.worker.rows import RefusalError, Screen
from tiltyard.worker.scorers import Item, Outcome, Scorers

log = logging.getLogger(__name__)

IDLE_CURSOR_S = 2.0
"""How often a cursor moves over a log that holds nothing for the version's model."""


class Follower(Job):
    """Scores what other versions answered; skips what its own version answered.

    The champion's version is followed too: it finds nothing to score while it answers, and its
    cursor stands at the switch when it is demoted.
    """

    def __init__(
        self,
        model: str,
        version: VersionRoute,
        store: Store,
        *,
        batch: int,
        timeout: float,
        uid: int | None = None,
    ) -> None:
        self.task = follow_task(model, version.version)
        self.status = {"scored": 0, "refused": 0}
        self._model = model
        self._version = version.version
        self._store = store
        self._batch = batch
        self._screen = Screen(version.signature)
        self._scorers = Scorers(version, timeout, uid)
        self._idle_until = 0.0

    def turn(self, lease: Lease) -> bool:
        """Score the next rows of each gateway's log; the cursor never passes the watermark."""
        marks = self._store.watermarks()
        cursor = self._store.cursor(self._model, self._version)
        if cursor is None:
            self._store.write_scores(lease, self._model, self._version, [], marks)
            return False
        behind = [g for g, mark in marks.items() if cursor.get(g, 0) < mark]
        full = [self._advance(lease, cursor, g, marks[g]) for g in behind]
        return any(full)

    def close(self) -> None:
        """Close the connection to the scorer."""
        self._scorers.close()

    def _advance(self, lease: Lease, cursor: dict[int, int], gateway: int, mark: int) -> bool:
        """Score one batch of a gateway's log and move the cursor; whether it was a full one."""
        after = cursor.get(gateway, 0)
        records = self._store.log(self._model, gateway, after, self._batch, upto=mark)
        full = len(records) == self._batch
        if not records and monotonic() < self._idle_until:
            return False
        scores = self._scores(records)
        cursor[gateway] = records[-1].seq if full else mark
        self._store.write_scores(lease, self._model, self._version, scores, cursor)
        self._scorers.forget()
        refused = sum(score.refusal is not None for score in scores)
        self.status["refused"] += refused
        self.status["scored"] += len(scores) - refused
        self._idle_until = monotonic() + IDLE_CURSOR_S
        return full

    def _scores(self, records: Sequence[PredictionRecord]) -> list[Score]:
        others = [r for r in records if r.version != self._version]
        items: list[Item] = []
        refused: dict[tuple[int, int], Outcome] = {}
        for record in others:
            key = (record.gateway, record.seq)
            try:
                items.append(Item(key, self._screen.admit(record.row)))
            except RefusalError as refusal:
                refused[key] = str(refusal)
        scored = dict(zip((i.key for i in items), self._scorers.score(items), strict=True))
        outcomes: Mapping[tuple[int, int], Outcome] = {**refused, **scored}
        return [_score(key, outcomes[key]) for key in ((r.gateway, r.seq) for r in others)]


def _score(key: tuple[int, int], outcome: Outcome) -> Score:
    gateway, seq = key
    if isinstance(outcome, str):
        return Score(gateway, seq, None, refusal=outcome)
    value, probabilities = outcome
    return Score(gateway, seq, value, None if probabilities is None else list(probabilities))
