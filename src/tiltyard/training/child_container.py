"""A run's container while it is at work: its log, its limits, its end."""

import errno
import logging
from io import RawIOBase
from threading import Thread

from tiltyard.containers.attached import KILLED, Attached, Ended
from tiltyard.settings.platform import RunnerSettings
from tiltyard.training.folder import RunFolder
from tiltyard.training.place import End
from tiltyard.training.usage import Usage

LOG_BYTES = 25_000_000
"""What a container prints beyond this is dropped."""

_REST_S = 5.0
_DROPPED = b"\n... the log is full, the rest is dropped\n"

log = logging.getLogger(__name__)


class ChildContainer:
    """A `Child`: a started container.

    Args:
        held: the container.
        folder: of the run; the log is written there as it comes.
        limits: that it runs under.
    """

    def __init__(self, held: Attached, folder: RunFolder, limits: RunnerSettings) -> None:
        self._held = held
        self._folder = folder
        self._limits = limits
        self._usage = Usage(folder.written, limits.disk_mb)
        self._reading = Thread(target=self._keep_log, name=f"log {folder.path.name}", daemon=True)
        self._reading.start()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the end of what it prints: an engine that goes away ends that, too."""
        self._reading.join(timeout_s)
        return not self._reading.is_alive()

    def trouble(self) -> str | None:
        """Look at what it takes of the disk."""
        return self._usage.trouble()

    def end(self) -> End:
        """Return its exit code, and why it was killed."""
        ended = self._held.ended()
        return End(ended.code, self._reason(ended))

    def finish(self) -> None:
        """Remove the container; all that it has printed is in the log then."""
        self._held.remove()
        self._reading.join(_REST_S)

    def _reason(self, ended: Ended) -> str | None:
        if ended.out_of_memory:
            return f"more than {self._limits.memory_mb} MB of memory were wanted (runner.memory_mb)"
        if ended.removed:
            return "the run's container was removed"
        return "the run's container was killed" if ended.code == KILLED else None

    def _keep_log(self) -> None:
        left = LOG_BYTES
        with self._folder.log.open("ab", buffering=0) as file:
            for _, piece in self._held.frames():
                # Read on in any case: a container whose output nobody takes stands still.
                if left > 0:
                    _append(file, piece[:left] if len(piece) < left else piece[:left] + _DROPPED)
                    left -= len(piece)


def _append(file: RawIOBase, piece: bytes) -> None:
    try:
        file.write(piece)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        log.warning("The disk is full: %d bytes of a run's log are lost.", len(piece))
