"""Scores the body of a batch frame and writes the frame that answers it."""

import logging

import numpy as np

from tiltyard.scoring import frames
from tiltyard.scoring.engines.base import Engine, Scores
from tiltyard.scoring.frames import Batch, ProtocolError
from tiltyard.scoring.rows import RowError, split_columns
from tiltyard.types.schema import Signature

log = logging.getLogger(__name__)


class BatchScorer:
    """Answers batches with an engine.

    Args:
        engine: that scores them.
        signature: of its version.
    """

    def __init__(self, engine: Engine, signature: Signature) -> None:
        numeric, others = split_columns(signature)
        self._engine = engine
        self._doubles = len(numeric)
        self._others = len(others)

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
        except Exception as error:
            log.warning("A batch of %d rows failed: %s: %s", batch.n, type(error).__name__, error)
            return frames.encode_error(request_id, *self._blame(batch, error))

    def _blame(self, batch: Batch, error: Exception) -> tuple[str, int | None]:
        for row in range(batch.n):
            try:
                self._engine.score(*self._single(batch, row))
            except Exception as single:
                return _sentence(single), row
        return _sentence(error), None

    def _single(self, batch: Batch, row: int) -> tuple[int, bytes, list[list[object]]]:
        size = self._doubles * 8
        numeric = batch.numeric[row * size : (row + 1) * size]
        return 1, numeric, [[column[row]] for column in batch.others]


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
