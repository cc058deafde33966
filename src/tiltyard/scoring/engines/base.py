"""The contract of every engine."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from tiltyard.errors import TiltyardError
from tiltyard.scoring.frames import Value
from tiltyard.types.registry import VersionManifest

Doubles = NDArray[np.float64]


class Scores(NamedTuple):
    """What an engine makes of n rows.

    Attributes:
        values: n doubles of a regressor, n labels of a classifier.
        probabilities: n x classes, in the order of the signature's classes.
    """

    values: Doubles | Sequence[Value]
    probabilities: Doubles | None = None


class Engine(ABC):
    """A model that is ready to score.

    Attributes:
        name: as in ``version.json``.
        lanes: so many threads may score at once.
    """

    name: ClassVar[str]
    lanes: int = 1

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, manifest: VersionManifest) -> Self:
        """Load the model of a version's folder.

        Raises:
            LoadError: its file cannot be used here.
        """

    @abstractmethod
    def score(self, n: int, numeric: bytes, others: list[list[Any]]) -> Scores:
        """Score n ≥ 1 rows; the arguments are those of `frames.Batch`, of right lengths.

        Raises:
            RowError: naming a row that cannot be scored.
            TiltyardError: no row is to blame.
        """

    def close(self) -> None:  # noqa: B027  most engines hold nothing
        """End what the engine has started; it scores no more."""


class LoadError(TiltyardError):
    """A model file cannot be loaded by its engine."""

    code = "model_not_loadable"
