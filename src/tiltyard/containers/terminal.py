"""What a terminal sends to a container: input, signals, and at last its end."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread, Timer

from tiltyard.containers.attached import Attached

GRACE_S = 5.0
"""From the first signal to the end at the latest."""

_INPUT_BYTES = 65536
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def removed_at_last(name: str) -> Iterator[None]:
    """Have a container removed though this process is killed: by one in a session of its own."""
    watcher = subprocess.Popen(  # noqa: S603  our own module
        [sys.executable, "-m", "tiltyard.containers.reaper", name],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        watcher.kill()
        watcher.communicate()


@contextmanager
def signals_to(held: Attached) -> Iterator[None]:
    """Hand on what would end this process; a second signal, or ``GRACE_S``, kills."""
    last = Timer(GRACE_S, held.signal, (signal.SIGKILL,))
    last.daemon = True
    seen: list[int] = []

    def hand_on(number: int, _: object) -> None:
        seen.append(number)
        sent = number if len(seen) == 1 else signal.SIGKILL
        Thread(target=held.signal, args=(sent,), daemon=True).start()
        if len(seen) == 1:
            last.start()

    before = {number: signal.signal(number, hand_on) for number in _SIGNALS}
    try:
        yield
    finally:
        last.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


def hand_on_input(held: Attached) -> None:
    """Hand on standard input to its end."""
    if _input_is_ours():
        try:
            while piece := os.read(0, _INPUT_BYTES):
                held.write(piece)
        except OSError:
            pass
    held.close_input()


def _input_is_ours() -> bool:
    """Return whether reading does not stop this process: a terminal is the foreground's."""
    try:
        return not os.isatty(0) or os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False
