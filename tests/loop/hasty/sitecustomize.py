"""The negative control: a gateway that answers before it writes.

On ``PYTHONPATH`` of a `tiltyard up` it changes the gateway's process alone. What the kill tests
check must find that it loses what it acknowledged.
"""

import queue
import sys
import threading
import time
from typing import Any

DELAY_S = 0.1


def _make_hasty() -> None:
    from tiltyard.spool.writer import SpoolWriter  # noqa: PLC0415  in the gateway only

    append = SpoolWriter.append
    waiting: queue.SimpleQueue[tuple[float, Any, Any]] = queue.SimpleQueue()

    def hasty(self: Any, records: Any, done: Any) -> None:
        waiting.put((time.monotonic() + DELAY_S, self, records))
        self._call_soon(lambda: done(None))

    def write() -> None:
        while True:
            due, writer, records = waiting.get()
            time.sleep(max(0.0, due - time.monotonic()))
            append(writer, records, lambda _: None)

    threading.Thread(target=write, daemon=True).start()
    SpoolWriter.append = hasty  # type: ignore[method-assign]  # the point of it


if "tiltyard.gateway" in sys.orig_argv:
    _make_hasty()
