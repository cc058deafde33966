"""Scores the body of a batch frame and writes the frame that answers it."""

import logging

import numpy as np

from tiltyard.errors import TiltyardError
from tiltyard.scoring import frames
from tiltyard.scoring.engines.base import Engine, Scores
from tiltyard.scoring.frames import Batch, ProtocolError
from tiltyard.scoring.rows import RowError, split_columns
from tiltyard.types.schema import Signature

log = logging.getLogger(__name__)

TOLD_ERRORS = 100
"""So many different errors of a model are logged."""


class BatchScorer:
    """Answers batches with an engine.

    Args:
        engine: that scores them.
        signature: of its version.

    Attributes:
        lanes: so many threads may answer at once.
    """

    def __init__(self, engine: Engine, signature: Signature) -> None:
        numeric, others = split_columns(signature)
        self.lanes = engine.lanes
        self._engine = engine
        self._doubles = len(numeric)
        self._others = len(others)
        self._told: set[str] = set()

    def answer(self, request_id: int, body: bytes) -> bytearray:
        """Return the frame that answers a batch: a result, or an error."""
        try:
            batch = frames.decode_batch(body)
            self._check(batch)
        except ProtocolError as error:
            return frames.encode_error(request_id, error.message)
        return self._score(request_id, batch)

    def _check(self, batch: Batch) -> None:
        packed = batch.n * self._doubles * 8
        lengths = [len(column) for column in batch.others]
        if batch.n < 0 or len(batch.numeric) != packed or lengths != [batch.n] * self._others:
            raise ProtocolError(
                f"A batch of {batch.n} rows must hold {packed} bytes of doubles and "
                f"{self._others} other columns of {batch.n}; it holds {len(batch.numeric)} bytes "
                f"and columns of {lengths}."
            )

    def _score(self, request_id: int, batch: Batch) -> bytearray:
        if batch.n == 0:
            return _result(request_id, Scores(()))
        try:
            return _result(request_id, self._engine.score(batch.n, batch.numeric, batch.others))
        except RowError as error:
            return frames.encode_error(request_id, error.reason, error.row)
        except TiltyardError as error:  # the engine has no row to blame
            self._tell(error)
            return frames.encode_error(request_id, error.message)
        except Exception as error:
            self._tell(error)
            return frames.encode_error(request_id, *self._blame(batch, error))

    def _tell(self, error: Exception) -> None:
        sentence = _sentence(error)
        # Calls must not be able to fill the log, so nothing is told twice, nor without end.
        if sentence not in self._told and len(self._told) < TOLD_ERRORS:
            self._told.add(sentence)
            log.warning("A batch could not be scored. %s", sentence)

    def _blame(self, batch: Batch, error: Exception) -> tuple[str, int | None]:
        """Halve the batch until one row is left that fails alone."""
        start, stop = 0, batch.n
        while stop - start > 1:
            middle = (start + stop) // 2
            if first := self._failure(batch, start, middle):
                error, stop = first, middle
            elif second := self._failure(batch, middle, stop):
                error, start = second, middle
            else:
                return _sentence(error), None
        return _sentence(error), start

    def _failure(self, batch: Batch, start: int, stop: int) -> Exception | None:
        size = self._doubles * 8
        numeric = batch.numeric[start * size : stop * size]
        try:
            self._engine.score(stop - start, numeric, [c[start:stop] for c in batch.others])
        except Exception as error:
            return error
        return None


def _sentence(error: Exception) -> str:
    if isinstance(error, RowError):
        return error.reason
    return f"The model cannot score it: {type(error).__name__}: {error}"


def _result(request_id: int, scores: Scores) -> bytearray:
    values = scores.values
    packed = _pack(values) if isinstance(values, np.ndarray) else list(values)
    probabilities = None if scores.probabilities is None else _pack(scores.probabilities)
    return frames.encode_result(request_id, packed, probabilities)


def _pack(doubles: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> bytes:
    return np.ascontiguousarray(doubles, dtype="<f8").tobytes()
