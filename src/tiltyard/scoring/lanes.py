"""Batches that are scored at once, each on a thread, for engines that can."""

import contextlib
import socket
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from tiltyard.scoring.connection import Connection
from tiltyard.scoring.frames import Frame

Answer = Callable[[int, bytes], bytearray]


class Lanes:
    """Hands batches to threads and collects their answers; used by one thread.

    Args:
        answer: makes the frame that answers a batch; called on many threads at once.
        count: so many.
        wake: a byte is sent to it when an answer is there.
    """

    def __init__(self, answer: Answer, count: int, wake: socket.socket) -> None:
        self._answer = answer
        self._count = count
        self._wake = wake
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="lane")
        self._running: dict[Future[bytearray], Connection] = {}
        self._finished: deque[Future[bytearray]] = deque()

    @property
    def free(self) -> bool:
        """Whether a batch can be taken now."""
        return len(self._running) < self._count

    def start(self, connection: Connection, batch: Frame) -> None:
        """Score a client's batch."""
        connection.scoring += 1
        future = self._threads.submit(self._answer, batch.request_id, batch.body)
        self._running[future] = connection
        future.add_done_callback(self._finish)

    def deliver(self) -> list[Connection]:
        """Send the answers that are there; return their clients' connections."""
        served = []
        while self._finished:
            future = self._finished.popleft()
            connection = self._running.pop(future)
            connection.scoring -= 1
            connection.send(future.result())
            served.append(connection)
        return served

    def end(self, timeout: float) -> None:
        """Wait so many seconds for the batches at hand and send what was answered."""
        wait(list(self._running), timeout)
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.deliver()

    def _finish(self, future: "Future[bytearray]") -> None:
        self._finished.append(future)
        with contextlib.suppress(OSError):  # full: it is awake; or the server has ended
            self._wake.send(b"\0")
