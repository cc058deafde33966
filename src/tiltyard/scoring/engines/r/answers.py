"""What R answers, as scores; a row for which it predicts nothing is refused."""

import numpy as np

from tiltyard.scoring.engines.base import Doubles, Scores
from tiltyard.scoring.engines.r.process import CHANCES, ERROR, LABELS, NUMBERS, Answer
from tiltyard.scoring.rows import RowError
from tiltyard.types.schema import Output


class RError(Exception):
    """What R's ``predict`` raised."""


class Answers:
    """Reads the answers of one version.

    Args:
        output: of its signature.
    """

    def __init__(self, output: Output) -> None:
        self._classes = output.classes or ()

    def read(self, answer: Answer, n: int) -> Scores:
        """Return the scores of n rows.

        Raises:
            RError: R answered with an error.
            RowError: it predicts NA, or a label that is no class.
        """
        if answer.kind == ERROR:
            raise RError(answer.content.decode(errors="replace"))
        if answer.kind == LABELS:
            return self._labels(np.frombuffer(answer.content, dtype="<i4"))
        numbers = np.frombuffer(answer.content, dtype="<f8").astype(np.float64)
        if answer.kind == NUMBERS and len(numbers) == n:
            _check(numbers.reshape(n, 1))
            return Scores(numbers)
        if answer.kind == CHANCES and len(numbers) == n * len(self._classes):
            return self._chances(np.ascontiguousarray(numbers.reshape(-1, n).T))
        raise RError(f"R answered {n} rows with {len(answer.content)} bytes")

    def _labels(self, places: "np.ndarray[tuple[int], np.dtype[np.int32]]") -> Scores:
        if not places.all():
            row = int(np.flatnonzero(places == 0)[0])
            raise RowError(row, "the model predicts NA, or what is no class of this version.")
        return Scores([self._classes[place - 1] for place in places.tolist()])

    def _chances(self, chances: Doubles) -> Scores:
        _check(chances)
        places = chances.argmax(axis=1).tolist()
        return Scores([self._classes[place] for place in places], chances)


def _check(numbers: Doubles) -> None:
    missing = np.isnan(numbers).any(axis=1)
    if missing.any():
        row = int(np.flatnonzero(missing)[0])
        raise RowError(row, "the model predicts nothing (NA) for it.")
