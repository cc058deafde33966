"""Real scorers for tests: processes on a socket, and raw clients of them."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tiltyard.scoring.frames import Frame, FrameBuffer

START_S = 120.0


@contextmanager
def running_scorer(
    folder: Path, path: Path, *options: str, own_group: bool = False
) -> Iterator["subprocess.Popen[str]"]:
    """Start a scorer, wait until its socket is there, and end it at the end."""
    process = start_scorer(folder, path, *options, own_group=own_group)
    try:
        wait_for(path, process)
        yield process
    finally:
        process.kill()
        process.communicate()


def start_scorer(
    folder: Path,
    path: Path,
    *options: str,
    own_group: bool = False,
    env: Mapping[str, str] | None = None,
) -> "subprocess.Popen[str]":
    """Start a scorer without waiting for it."""
    command = (sys.executable, "-P", "-m", "tiltyard.scoring", "--folder", str(folder))
    return subprocess.Popen(
        (*command, "--socket", str(path), *options),
        stderr=subprocess.PIPE,
        text=True,
        process_group=0 if own_group else None,
        env=env,
    )


def wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    """Wait until a scorer listens; its words are the error when it ended instead."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if path.exists():
            return
        if process.poll() is not None:
            raise AssertionError(process.communicate()[1])
        time.sleep(0.02)
    raise AssertionError("the scorer did not listen in time")


def raw_client(path: Path, timeout: float = 60.0) -> socket.socket:
    """Connect to a scorer without reading its hello."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(timeout)
    client.connect(str(path))
    return client


def read_frames(client: socket.socket, wanted: int) -> list[Frame]:
    """Read frames until there are so many, or the scorer closes."""
    buffer = FrameBuffer()
    frames: list[Frame] = []
    while len(frames) < wanted and (data := client.recv(65_536)):
        frames += buffer.feed(data)
    return frames
