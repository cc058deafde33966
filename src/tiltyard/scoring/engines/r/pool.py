"""R workers that batches take turns with: one at first, more while batches wait, up to a number."""

import logging
import queue
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

from tiltyard.scoring.engines.base import LoadError
from tiltyard.scoring.engines.r.process import Worker

log = logging.getLogger(__name__)


class WorkerPool:
    """Workers of one version; an idle scorer has only one, since each is 60 MB and more.

    Args:
        options: serialized, what R is to load.
        most: workers there may be.

    Raises:
        LoadError: the first one cannot load the version.
    """

    def __init__(self, options: bytes, most: int) -> None:
        self._options = options
        self._most = most
        self._growing = threading.Lock()
        self._workers: list[Worker] = []
        self._finalizer = weakref.finalize(self, _end, self._workers)
        # The worker that was used last is the warm one.
        self._free: queue.LifoQueue[Worker] = queue.LifoQueue()
        self._workers.append(Worker(options))
        try:
            self._workers[0].load()
        except LoadError:
            self.close()
            raise
        self._free.put(self._workers[0])

    @property
    def pids(self) -> tuple[int, ...]:
        """Of the R processes."""
        return tuple(worker.pid for worker in self._workers)

    @contextmanager
    def worker(self) -> Iterator[Worker]:
        """Give a worker that is free, or the next that becomes it."""
        try:
            worker = self._free.get_nowait()
        except queue.Empty:
            self._grow()
            worker = self._free.get()
        try:
            yield worker
        finally:
            self._free.put(worker)

    def close(self) -> None:
        """End the R processes."""
        with self._growing:
            self._finalizer()

    def _grow(self) -> None:
        with self._growing:
            if self._finalizer.alive and len(self._workers) < self._most:
                worker = Worker(self._options)
                self._workers.append(worker)
                threading.Thread(target=self._add, args=(worker,), daemon=True).start()

    def _add(self, worker: Worker) -> None:
        try:
            worker.load()
        except LoadError as error:
            if self._finalizer.alive:
                log.warning("No further R worker: %s", error.message)
            with self._growing:
                worker.end()
                if worker in self._workers:
                    self._workers.remove(worker)
            return
        self._free.put(worker)


def _end(workers: list[Worker]) -> None:
    for worker in workers:
        worker.end()
