"""One R worker: an ``Rscript`` on two pipes, started again when it is needed after it ended."""

import contextlib
import os
import select
import shutil
import struct
import subprocess
import threading
import time
from pathlib import Path
from typing import NamedTuple

from tiltyard.errors import TimedOutError, UnavailableError
from tiltyard.scoring.engines.base import LoadError

SCRIPT = Path(__file__).with_name("worker.R")
LOAD_S = 120.0
NUMBERS, LABELS, CHANCES, ERROR, READY, LACKING = range(6)

_HEAD = struct.Struct("<2i")
_ITEM = {NUMBERS: 8, LABELS: 4, CHANCES: 8}
_READ_BYTES = 262_144
# What a signal to the whole group would end, the scorer still needs for the batch at hand.
_COMMAND = ("sh", "-c", 'trap "" TERM INT; exec "$@"', "worker")
_ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


class WorkerLostError(UnavailableError):
    """A worker ended, or was ended, before it answered."""


class Answer(NamedTuple):
    """What R said: its kind, and doubles, int32 or UTF-8 by that."""

    kind: int
    content: bytes


class Worker:
    """An R process that has loaded a version.

    Args:
        options: serialized, what R is to load.

    Attributes:
        closed: it was ended for good.
    """

    def __init__(self, options: bytes) -> None:
        self._options = options
        self.closed = False
        self._busy = threading.Lock()
        self._begin()

    @property
    def pid(self) -> int:
        """Of its present process."""
        return self._process.pid

    def load(self) -> None:
        """Wait until R has loaded the version.

        Raises:
            LoadError: with what R says of it.
        """
        with self._busy:
            self._load()

    def ask(self, message: bytes, timeout: float) -> Answer:
        """Return R's answer to a message.

        Raises:
            WorkerLostError: R ended; the next call starts it again.
            TimedOutError: R was ended, since it did not answer for so many seconds.
            LoadError: it could not be started again.
        """
        with self._busy:
            if self.closed:
                raise WorkerLostError("The scorer is ending.")
            if self._process.returncode is not None:
                self._begin()
                self._load()
            return self._exchange(message, timeout)

    def end(self) -> None:
        """End R for good, also when another thread waits for its answer."""
        self.closed = True
        self._process.kill()
        with self._busy:
            self._kill()

    def _begin(self) -> None:
        rscript = shutil.which("Rscript")
        if rscript is None:
            raise LoadError(
                "This version needs R, and there is no Rscript here: install R (on Debian: "
                "apt-get install r-base-core) and the packages of the model, or deploy it in "
                "containers (runtime = docker)."
            )
        theirs_in, self._in = os.pipe()
        self._out, theirs_out = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603  no shell expands anything of ours
                (*_COMMAND, rscript, "--vanilla", str(SCRIPT), str(theirs_in), str(theirs_out)),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs_in, theirs_out),
                env=os.environ | _ENVIRONMENT,
            )
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)

    def _load(self) -> None:
        try:
            answer = self._exchange(self._options, LOAD_S)
        except (WorkerLostError, TimedOutError) as error:
            raise LoadError(f"R cannot load this version: {error.message}") from None
        if answer.kind == READY:
            return
        self._kill()
        said = answer.content.decode(errors="replace")
        if answer.kind == LACKING:
            raise LoadError(_lacking(said.splitlines()))
        raise LoadError(f"R cannot load this version: {said}")

    def _exchange(self, message: bytes, timeout: float) -> Answer:
        deadline = time.monotonic() + timeout
        try:
            self._write(memoryview(message), deadline)
            kind, count = _HEAD.unpack(self._read(_HEAD.size, deadline))
            return Answer(kind, self._read(count * _ITEM.get(kind, 1), deadline))
        except TimeoutError:
            self._kill()
            raise TimedOutError(f"R did not answer within {timeout:g} s.") from None
        except (OSError, EOFError):
            raise WorkerLostError(f"R ended {self._kill()}.") from None

    def _write(self, left: memoryview, deadline: float) -> None:
        while left:
            with contextlib.suppress(BlockingIOError):
                left = left[os.write(self._in, left) :]
                continue
            _wait(self._in, select.POLLOUT, deadline)

    def _read(self, size: int, deadline: float) -> bytes:
        data = bytearray()
        while len(data) < size:
            _wait(self._out, select.POLLIN, deadline)
            received = os.read(self._out, min(size - len(data), _READ_BYTES))
            if not received:
                raise EOFError
            data += received
        return bytes(data)

    def _kill(self) -> str:
        """End the process; return how it had ended, if it had."""
        if self._process.returncode is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.2)  # its pipes close a moment before it has ended
            self._process.kill()
            self._process.wait()
            for pipe in (self._in, self._out):
                os.close(pipe)
        code = self._process.returncode
        return f"by signal {-code}" if code < 0 else f"with exit code {code}"


def _wait(pipe: int, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(pipe, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise TimeoutError


def _lacking(packages: list[str]) -> str:
    debian = " ".join(f"r-cran-{name.lower()}" for name in packages)
    names = ", ".join(packages)
    return (
        f"The model needs R packages that are not here: {names}. Install them where the scorers "
        f"run (on Debian: apt-get install {debian}), or add them to the image scorer-r."
    )
