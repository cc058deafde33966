"""The runner (``python -m tiltyard.training.runner``) claims runs and carries them out."""

import fcntl
import logging
import os
import signal
import socket
import sys
import time
from threading import Event, Thread
from types import FrameType
from typing import IO

from tiltyard.client.connect import local_token
from tiltyard.client.control import ControlClient
from tiltyard.errors import ConflictError, TiltyardError
from tiltyard.settings import Settings, load_settings
from tiltyard.training.places import end_left_over
from tiltyard.training.work import Work

_STOP_S = 3.5
_LONGEST_BACK_OFF_S = 5.0

log = logging.getLogger(__name__)


class Runner:
    """Works on ``runner.concurrency`` runs at once until it is stopped."""

    def __init__(self, settings: Settings, client: ControlClient) -> None:
        self.stopping = Event()
        self._settings = settings
        self._client = client
        self._name = f"{socket.gethostname()}:{os.getpid()}"

    def run(self) -> None:
        """Work until ``stopping`` is set, and a little longer to say how runs ended."""
        count = range(self._settings.runner.concurrency)
        threads = [Thread(target=self._work, name=f"slot {n}", daemon=True) for n in count]
        for thread in threads:
            thread.start()
        self.stopping.wait()
        end = time.monotonic() + _STOP_S
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _work(self) -> None:
        pause = self._settings.runner.poll_s
        while not self.stopping.wait(pause):
            try:
                pause = self._settings.runner.poll_s if not self._next() else 0
            except TiltyardError as error:
                log.warning("%s", error)
                # A run that waits to be reported goes before the next one.
                pause = min(max(1.0, 2 * pause), _LONGEST_BACK_OFF_S)

    def _next(self) -> bool:
        """Carry out the next run; return whether there was one."""
        claimed = self._client.claim_run(self._name, self._settings.runner.lost_after_s)
        if claimed is None:
            return False
        run, token = claimed
        log.info("Run %s: %s %s", run.id, run.request.kind, run.request.pipeline)
        Work(self._settings, self._client, run, token, self.stopping).carry_out()
        return True


def main() -> int:
    """Run until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # One line for each request says nothing.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings = load_settings()
    try:
        lock = _lock(settings)
        client = ControlClient(settings.control_url, _token(settings))
    except TiltyardError as error:
        log.error("%s", error)  # noqa: TRY400  the sentence says it all
        return error.exit_code
    with lock, client:
        _end_left_over(settings)
        runner = Runner(settings, client)
        _stop_at_signals(runner.stopping)
        runner.run()
    return 0


def _end_left_over(settings: Settings) -> None:
    try:
        end_left_over(settings)
    except TiltyardError as error:
        # Each run will say so, until it is mended; control is to hear of this runner all the same.
        log.error("%s", error)  # noqa: TRY400  the sentence says it all


def _token(settings: Settings) -> str:
    return settings.client.token or local_token(settings, "runner")


def _lock(settings: Settings) -> IO[bytes]:
    """Keep other runners out of this home: each kills what it takes for left over."""
    folder = settings.path("runs")
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / "runner.lock").open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise ConflictError(f"Another runner works in {folder}: stop it first.") from None
    return file


def _stop_at_signals(stopping: Event) -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


if __name__ == "__main__":
    sys.exit(main())
