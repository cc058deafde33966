"""The frame of every task: a thread, a fenced lease, back-off, a log line for each trouble."""

import logging
import threading
from abc import ABC, abstractmethod
from time import monotonic

import msgspec

from tiltyard.errors import StaleLeaseError, TiltyardError
from tiltyard.stores.base import Lease, Store

log = logging.getLogger(__name__)

LONGEST_BACK_OFF_S = 5.0
RENEWALS = 3
"""A lease is renewed when a third of its time is over."""

ASK_AGAIN_S = 1.0
"""Pause before a lease that another holds is asked for again."""


class Pace(msgspec.Struct, frozen=True):
    """How a task spends its time, in seconds.

    Attributes:
        poll: pause when there is nothing to do.
        lease: how long a lease lasts without renewal.
        first_back_off: pause after a first failure; it doubles with each more.
    """

    poll: float = 0.2
    lease: float = 10.0
    first_back_off: float = 0.2


class Job(ABC):
    """What a task does, in turns. A job belongs to one thread.

    Attributes:
        task: name of its lease.
        status: counters for people; they begin anew with the process.
    """

    task: str
    status: dict[str, int]

    @abstractmethod
    def turn(self, lease: Lease) -> bool:
        """Do a bounded piece of work; whether there is more to do at once.

        Whatever it raises is logged and tried again after a back-off; so a turn must be
        resumable at any point.
        """

    def close(self) -> None:  # noqa: B027  most jobs hold nothing open
        """Let go of connections; the job may be given another turn later."""


class TaskThread(threading.Thread):
    """Gives a job its turns while it holds the job's lease."""

    def __init__(self, job: Job, store: Store, holder: str, pace: Pace) -> None:
        super().__init__(name=job.task, daemon=True)
        self.job = job
        self._store = store
        self._holder = holder
        self._pace = pace
        self._ending = threading.Event()
        self._lease: Lease | None = None
        self._renew_at = 0.0
        self._failures = 0

    @property
    def leased(self) -> bool:
        """Whether the thread holds the task's lease, so far as it knows."""
        return self._lease is not None

    def end(self) -> None:
        """Ask the thread to end after the turn it is in."""
        self._ending.set()

    def run(self) -> None:
        """Work until ``end``, then give the lease back."""
        while not self._ending.is_set():
            self._ending.wait(self._step())
        self._leave()

    def _step(self) -> float:
        """Take a turn; return how many seconds to pause."""
        try:
            if not self._hold_lease():
                return min(self._pace.lease / RENEWALS, ASK_AGAIN_S)
            assert self._lease is not None  # noqa: S101  tells the type checker
            more = self.job.turn(self._lease)
        except Exception as error:  # a task must never end silently
            return self._failed(error)
        self._failures = 0
        return 0.0 if more else self._pace.poll

    def _hold_lease(self) -> bool:
        if self._lease is None or monotonic() >= self._renew_at:
            before, self._lease = self._lease, None
            self._renew_at = monotonic() + self._pace.lease / RENEWALS
            self._lease = self._store.acquire(self.job.task, self._holder, self._pace.lease)
            if (before is None) != (self._lease is None):
                log.info("%s: %s the lease", self.job.task, "got" if self._lease else "lost")
        return self._lease is not None

    def _failed(self, error: Exception) -> float:
        if isinstance(error, StaleLeaseError):
            self._lease = None
        pause = min(self._pace.first_back_off * 2.0**self._failures, LONGEST_BACK_OFF_S)
        self._failures = min(self._failures + 1, 16)
        expected = isinstance(error, TiltyardError | OSError)
        log.warning(
            "%s: %s; trying again in %.1f s",
            self.job.task,
            error,
            pause,
            exc_info=None if expected else error,
        )
        return pause

    def _leave(self) -> None:
        try:
            self.job.close()
            if self._lease is not None:
                self._store.release(self._lease)
        except Exception as error:  # the lease runs out by itself
            log.warning("%s: could not give the lease back: %s", self.job.task, error)
