"""Asks scorers whether they are what they must be, without waiting for those that are silent."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import NamedTuple

from tiltyard.errors import UnavailableError

AT_ONCE = 16
PATIENCE_S = 0.3
"""A scorer that is well answers sooner; whoever asks goes on without the others."""


class NotListeningError(UnavailableError):
    """A scorer does not answer on its socket yet."""

    code = "not_listening"


class Question(NamedTuple):
    """One start of one replica.

    Attributes:
        run: of its ``ReplicaStatus``.
    """

    deployment: str
    replica: int
    run: int


Ask = Callable[[], str | None]


class Probes:
    """Questions under way, each in a thread of its own; belongs to one thread."""

    def __init__(self, probe: Callable[[str, Path], str | None]) -> None:
        self._probe = probe
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="probe")
        self._asked: dict[Question, Future[str | None]] = {}

    def ask(self, questions: Iterable[tuple[Question, str, Path]]) -> None:
        """Ask what was not asked yet, and wait a moment for answers.

        Args:
            questions: with the replica's endpoint and its version's folder.
        """
        for question, endpoint, folder in questions:
            if question not in self._asked:
                self._asked[question] = self._pool.submit(self._probe, endpoint, folder)
        wait(self._asked.values(), PATIENCE_S)

    def pending(self, question: Question) -> bool:
        """Whether it is asked, and not answered yet."""
        asked = self._asked.get(question)
        return asked is not None and not asked.done()

    def answer(self, question: Question) -> str | None:
        """Return why the scorer is refused, None if it is not; the question is over.

        Raises:
            NotListeningError: it does not listen.
        """
        return self._asked.pop(question).result()

    def forget(self, deployment: str) -> None:
        """Drop what is asked of a deployment."""
        for question in [q for q in self._asked if q.deployment == deployment]:
            self._asked.pop(question).cancel()
