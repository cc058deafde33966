"""A Docker Engine of the test's own, which it may stop: in a network namespace, far from others."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from contextlib import closing
from pathlib import Path

from tiltyard.containers.engine import connect
from tiltyard.containers.images import read_lock
from tiltyard.errors import UnavailableError
from tiltyard.settings import Settings

START_S = 60.0
DISK_MB = 1500
DOCKER = "docker"


class OwnEngine:
    """A dockerd with a folder of its own, and a disk of its own, in memory.

    Args:
        folder: a short path, since its socket is in it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = f"unix://{folder / 's'}"
        self.data = folder / "d"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        if not self.data.exists():
            self.data.mkdir(parents=True)
            options = ("-t", "tmpfs", "-o", f"size={DISK_MB}m", "test-engine")
            subprocess.run(["mount", *options, self.data], check=True)
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *("unshare", "--net", "--", "dockerd", "--host", self.url),
                    *("--data-root", str(self.data)),
                    *("--exec-root", str(self._folder / "x")),
                    *("--pidfile", str(self._folder / "pid"), "--bridge", "none"),
                    "--iptables=false",
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + START_S
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "log").read_text()[-3000:]
            assert time.monotonic() < end, "dockerd does not answer"
            time.sleep(0.1)

    def stop(self) -> None:
        """End it as its service manager does; its containers end with it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)
        self._process = None

    def fill(self) -> Path:
        """Fill its disk; removing the returned file frees it again."""
        filler = self.data / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(1_000_000)):
                pass
        return filler

    def load(self, images_lock: Path) -> None:
        """Give it the recorded scorer image of the machine's own engine."""
        image = read_lock(images_lock).current("scorer-python")
        save = [DOCKER, "save", image.id]
        with subprocess.Popen(save, stdout=subprocess.PIPE) as saved:
            take = [DOCKER, "--host", self.url, "load", "--quiet"]
            subprocess.run(take, stdin=saved.stdout, check=True, stdout=subprocess.DEVNULL)
        assert saved.returncode == 0

    def remove(self) -> None:
        """End it and remove all it had."""
        if self._process is not None:
            self.stop()
        if mounts := self._mounts():
            subprocess.run(["umount", *mounts], check=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _mounts(self) -> list[str]:
        lines = Path("/proc/self/mounts").read_text().splitlines()
        found = [line.split()[1] for line in lines]
        return [place for place in found if place.startswith(f"{self._folder}{os.sep}")]

    def _answers(self) -> bool:
        try:
            settings = Settings(runtime="docker", docker={"url": self.url})
            with closing(connect(settings)):
                return True
        except UnavailableError:
            return False
