"""What was found lately, for a short time and in bounded memory."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Found = TypeVar("Found")


class Recent(Generic[Found]):
    """Remembers what was found under a key; usable from several threads.

    Args:
        seconds: how long what was found is believed, counted from before it was asked for.
        refusal_seconds: how long it is believed that there is nothing.
        most: beyond it the oldest are forgotten, of finds and of refusals apart: who tries
            keys at random pushes nobody else out.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        seconds: float,
        refusal_seconds: float,
        most: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._found = _Aging[Found](seconds, most)
        self._refused = _Aging[None](refusal_seconds, most)
        self._clock = clock
        self._lock = threading.Lock()

    def get(
        self, key: str, ask: Callable[[], Found | None], *, fresh: bool = False
    ) -> Found | None:
        """Return what there is under a key, None if there is nothing.

        Args:
            key: what it is remembered by.
            ask: finds it; what it raises is not remembered.
            fresh: ask in any case.
        """
        now = self._clock()
        if not fresh:
            with self._lock:
                if (known := self._found.get(key, now)) is not None:
                    return known
                if self._refused.has(key, now):
                    return None
        found = ask()
        with self._lock:
            if found is None:
                self._found.forget(key, now)
                self._refused.put(key, None, now)
            else:
                self._found.put(key, found, now)
        return found


class _Aging(Generic[Found]):
    def __init__(self, seconds: float, most: int) -> None:
        self._seconds = seconds
        self._most = most
        self._kept: dict[str, tuple[float, Found]] = {}

    def get(self, key: str, now: float) -> Found | None:
        return self._kept[key][1] if self.has(key, now) else None

    def has(self, key: str, now: float) -> bool:
        kept = self._kept.get(key)
        return kept is not None and now < kept[0] + self._seconds

    def put(self, key: str, found: Found, asked_at: float) -> None:
        if not self._is_older(key, asked_at):
            return
        self._kept.pop(key, None)
        self._kept[key] = (asked_at, found)
        if len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]

    def forget(self, key: str, asked_at: float) -> None:
        if self._is_older(key, asked_at):
            self._kept.pop(key, None)

    def _is_older(self, key: str, asked_at: float) -> bool:
        # A slow answer must not hide what was asked for later.
        kept = self._kept.get(key)
        return kept is None or kept[0] <= asked_at
