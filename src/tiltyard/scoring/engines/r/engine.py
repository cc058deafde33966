"""The R engine: a worker for each CPU, each with one batch at a time."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from tiltyard.scoring.engines.base import Engine, LoadError, Scores
from tiltyard.scoring.engines.r import values
from tiltyard.scoring.engines.r.answers import Answers
from tiltyard.scoring.engines.r.cpus import allowed_cpus
from tiltyard.scoring.engines.r.frames import RFrames
from tiltyard.scoring.engines.r.pool import WorkerPool
from tiltyard.scoring.engines.r.process import Answer, Worker, WorkerLostError
from tiltyard.scoring.rows import RowError
from tiltyard.types.registry import VersionManifest
from tiltyard.types.schema import Label, Signature

MODEL_FILE = "model.rds"
HANG_S = 12.0
"""A worker that has not answered a usual batch by then is ended."""

USUAL_ROWS = 256


class REngine(Engine):
    """Scores by ``predict`` in R, as many batches at once as there are workers.

    Args:
        folder: of the version.
        manifest: of the version.
        workers: how many at most; by default one for each CPU allowed.
        hang_s: seconds after which a worker that scores 256 rows or fewer is ended.

    Raises:
        LoadError: R is not here, or cannot load the version.
    """

    name: ClassVar[str] = "r"

    def __init__(
        self,
        folder: Path,
        manifest: VersionManifest,
        workers: int | None = None,
        hang_s: float = HANG_S,
    ) -> None:
        self._dtypes = manifest.dtypes
        self._frames = RFrames(manifest.signature, manifest.dtypes)
        self._answers = Answers(manifest.signature.output)
        self._hang_s = hang_s
        self.lanes = workers or allowed_cpus()
        self._pool = WorkerPool(_options(folder, manifest.signature), self.lanes)

    @classmethod
    def load(cls, folder: Path, manifest: VersionManifest) -> Self:
        """Let R source ``code/*.R`` and read ``model.rds``."""
        if not (folder / MODEL_FILE).exists():
            raise LoadError(f"This version has no {MODEL_FILE}: it was not logged from R.")
        return cls(folder, manifest)

    def following(self, signature: Signature) -> Self:
        """Return this engine, with these policies for its inputs, over the same workers."""
        other = copy.copy(self)
        other._frames = RFrames(signature, self._dtypes)  # noqa: SLF001  its own class
        return other

    @property
    def pids(self) -> tuple[int, ...]:
        """Of the R processes."""
        return self._pool.pids

    def close(self) -> None:
        """End the R processes; batches at hand are lost."""
        self._pool.close()

    def score(self, n: int, numeric: bytes, others: list[list[Any]]) -> Scores:
        """Score rows.

        Raises:
            RowError: naming a row that does not fit, that R predicts NA for, or that ended R twice.
            RError: with what ``predict`` raised.
            TimedOutError: R did not answer; its worker was ended.
            UnavailableError: the engine is closed.
            LoadError: R ended and cannot be started again.
        """
        frame = self._frames.build(n, numeric, others)
        with self._pool.worker() as worker:
            try:
                return self._scores(self._ask(worker, n, frame), n, numeric, others)
            except WorkerLostError:
                return self._one_by_one(worker, n, numeric, others)

    def _ask(self, worker: Worker, n: int, frame: bytes) -> Answer:
        return worker.ask(frame, self._hang_s * max(1.0, n / USUAL_ROWS))

    def _scores(self, answer: Answer, n: int, numeric: bytes, others: list[list[Any]]) -> Scores:
        try:
            return self._answers.read(answer, n)
        except RowError as error:
            lacking = self._frames.missing(numeric, others, error.row)
            if not lacking:
                raise
            names = ", ".join(map(repr, lacking))
            raise RowError(error.row, f"{error.reason} It lacks {names}.", lacking[0]) from None

    def _one_by_one(
        self, worker: Worker, n: int, numeric: bytes, others: list[list[Any]]
    ) -> Scores:
        """Find the row that ends R: which of them it is, nobody was left to say."""
        size = len(numeric) // n
        scores = []
        for row in range(n):
            packed = numeric[row * size : (row + 1) * size]
            alone = [column[row : row + 1] for column in others]
            try:
                scores.append(self._twice(worker, packed, alone))
            except RowError as error:
                raise error.moved_by(row) from None
        return _joined(scores)

    def _twice(self, worker: Worker, numeric: bytes, others: list[list[Any]]) -> Scores:
        frame = self._frames.build(1, numeric, others)
        for _ in range(2):
            try:
                return self._scores(self._ask(worker, 1, frame), 1, numeric, others)
            except WorkerLostError as error:
                lost = error
        if worker.closed:
            raise lost
        raise RowError(0, f"R ended twice while it scored this row: {lost.message}")


def _joined(scores: Sequence[Scores]) -> Scores:
    chances = [s.probabilities for s in scores if s.probabilities is not None]
    probabilities = np.concatenate(chances) if chances else None
    if isinstance(scores[0].values, np.ndarray):
        return Scores(np.concatenate([np.asarray(s.values) for s in scores]))
    return Scores([value for s in scores for value in s.values], probabilities)


def _options(folder: Path, signature: Signature) -> bytes:
    classes = signature.output.classes
    names = None if classes is None else [class_name(label) for label in classes]
    return values.HEADER + values.named(
        {
            "folder": values.texts([str(folder.absolute())], 1),
            "classes": values.NULL if names is None else values.texts(names, len(names)),
            "chances": values.logicals(np.array([signature.output.probabilities], dtype=np.int32)),
        }
    )


def class_name(label: Label) -> str:
    """Return a class as R names it."""
    return str(label).upper() if isinstance(label, bool) else str(label)
