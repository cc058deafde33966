"""Where calls are kept before they are answered, as the core needs it."""

from collections.abc import Callable, Sequence
from typing import Protocol

from tiltyard.spool.writer import Done
from tiltyard.types.records import LogRecord


class Recorder(Protocol):
    """Keeps records; ``tiltyard.spool.SpoolWriter`` is one."""

    @property
    def gateway(self) -> int:
        """First half of the records' keys."""

    @property
    def durable_seq(self) -> int:
        """The last seq that is kept for good."""

    @property
    def disk_full(self) -> bool:
        """Whether nothing can be kept now."""

    def reserve(self, model: str, count: int) -> tuple[int, int]:
        """Return the first seq and model_seq of ``count`` records that are appended next."""

    def append(self, records: Sequence[LogRecord], done: Done) -> None:
        """Keep records; ``done`` is called on the loop, later, when they are kept or cannot be."""

    def close(self) -> None:
        """Keep what is queued, then stop."""


class Oblivion:
    """Keeps nothing, and says at once that it did.

    Args:
        call_soon: of the event loop.
    """

    gateway = 0
    durable_seq = 0
    disk_full = False

    def __init__(self, call_soon: Callable[..., object]) -> None:
        self._call_soon = call_soon
        self._next = 1

    def reserve(self, model: str, count: int) -> tuple[int, int]:
        """Number them, so that ids differ."""
        first, self._next = self._next, self._next + count
        return first, first

    def append(self, records: Sequence[LogRecord], done: Done) -> None:
        """Forget them."""
        self._call_soon(done, None)

    def close(self) -> None:
        """Do nothing."""
