"""Scores rows through a version's replicas and finds the rows that cannot be scored."""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from tiltyard.errors import InvalidInputError, TiltyardError, TimedOutError, UnavailableError
from tiltyard.scoring.client import BATCH_ROWS, Scored, ScorerClient
from tiltyard.scoring.rows import RowError
from tiltyard.types.routes import VersionRoute

log = logging.getLogger(__name__)

DEATHS = 2
"""A row that was alone with the scorer each time it died so often is refused."""

ROW_ERRORS = 8
"""After so many bad rows in a batch its rows are sent one by one."""

REASON_CHARACTERS = 200

Key = tuple[int, int]


class Item(msgspec.Struct, frozen=True, gc=False):
    """A row to score and its key (gateway, seq)."""

    key: Key
    row: Mapping[str, Any]


Outcome = Scored | str
"""A prediction with probabilities, or why there is none."""


class Scorers:
    """The replicas of one version; belongs to one thread.

    A batch that a scorer did not survive is remembered, over failed attempts, until `forget`:
    its rows are then sent alone, so that the row that kills is found and costs two deaths more.
    (A scorer that was replaced while the connection was idle looks like a death too, of a batch.)
    """

    def __init__(self, version: VersionRoute, timeout: float, uid: int | None = None) -> None:
        self._version = version
        self._timeout = timeout
        self._uid = uid
        self._client: ScorerClient | None = None
        self._replica = 0
        self._deaths: dict[Key, int] = {}

    def score(self, items: Sequence[Item]) -> list[Outcome]:
        """Return the outcome of each item, in order.

        Raises:
            UnavailableError: no replica can be reached; call again later.
        """
        outcomes: list[Outcome] = []
        for start in range(0, len(items), BATCH_ROWS):
            outcomes += self._batch(items[start : start + BATCH_ROWS])
        return outcomes

    def forget(self) -> None:
        """Forget the suspects: their outcomes have been kept."""
        self._deaths.clear()

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _batch(self, items: Sequence[Item]) -> list[Outcome]:
        if any(item.key in self._deaths for item in items):
            return [self._alone(item) for item in items]
        try:
            return list(self._send(items))
        except RowError:
            return self._without_bad_rows(items)
        except InvalidInputError:
            return [self._alone(item) for item in items]
        except _DiedError as death:
            log.warning("%s: sending its %d rows one by one", death, len(items))
            self._deaths.update((item.key, 0) for item in items)
            return [self._alone(item) for item in items]

    def _without_bad_rows(self, items: Sequence[Item]) -> list[Outcome]:
        refused: dict[Key, Outcome] = {}
        left = list(items)
        for _ in range(ROW_ERRORS):
            try:
                scored = dict(zip((i.key for i in left), self._send(left), strict=True))
            except RowError as error:
                refused[left.pop(error.row).key] = _reason(error)
            else:
                outcomes = {**refused, **scored}
                return [outcomes[item.key] for item in items]
        return [refused.get(item.key) or self._alone(item) for item in items]

    def _alone(self, item: Item) -> Outcome:
        while self._deaths.get(item.key, 0) < DEATHS:
            try:
                return next(self._send([item]))
            except InvalidInputError as error:
                return _reason(error)
            except _DiedError as death:
                self._deaths[item.key] = self._deaths.get(item.key, 0) + 1
                log.warning("%s while it scored row %s alone", death, item.key)
        return "scorer: it dies of this row"

    def _send(self, items: Sequence[Item]) -> Iterator[Outcome]:
        if not items:
            return iter(())
        client = self._connected()
        try:
            scored = client.score(self._version.signature, [item.row for item in items])
        except InvalidInputError:
            raise
        except (UnavailableError, TimedOutError) as error:
            self.close()
            raise _DiedError(error.message) from None
        return map(_outcome, scored)

    def _connected(self) -> ScorerClient:
        if self._client is None:
            self._client = self._connect()
        return self._client

    def _connect(self) -> ScorerClient:
        endpoints = self._version.endpoints
        last: TiltyardError | None = None
        for _ in endpoints:
            endpoint = endpoints[self._replica % len(endpoints)]
            self._replica += 1
            try:
                return self._welcome(ScorerClient(endpoint, self._timeout, uid=self._uid))
            except (UnavailableError, TimedOutError) as error:
                last = error
        raise last or UnavailableError(f"Version {self._version.version} has no scorer.")

    def _welcome(self, client: ScorerClient) -> ScorerClient:
        told = (client.hello.signature, client.hello.version or self._version.version)
        if told == (self._version.signature.digest, self._version.version):
            return client
        client.close()
        raise UnavailableError(f"The scorer at {client.endpoint} serves another version.")


class _DiedError(UnavailableError):
    """The connection was lost, or silent for too long, while a batch was being scored."""


def _outcome(scored: Scored) -> Outcome:
    value, _ = scored
    if isinstance(value, float) and not math.isfinite(value):
        return "prediction: not finite"
    return scored


def _reason(error: InvalidInputError) -> str:
    if isinstance(error, RowError):
        reason = f"type: {error.column}" if error.column else f"scorer: {error.reason}"
    else:
        reason = f"scorer: {error.message}"
    return reason[:REASON_CHARACTERS]
