"""Ends what ``tiltyard up`` started when ``tiltyard up`` itself is gone.

Run as ``python -m tiltyard.deployers.watchdog GROUPS MARK [SOCKETS]`` in a session of its own,
with the read end of a pipe as standard input; nobody writes, so the end of the pipe is the end
of the parent, however it died.
"""

import contextlib
import os
import signal
import sys
from pathlib import Path

from tiltyard.deployers.groups import Groups, kill_all, read_groups, remove_sockets


def main() -> None:
    """Wait for the parent's end, then kill its process groups and remove their sockets."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    path, mark, *sockets = sys.argv[1:]
    while os.read(0, 1):
        pass
    finish(Path(path), mark, *map(Path, sockets))


def finish(path: Path, mark: str, *sockets: Path) -> None:
    """Kill what carries the mark; leave the files alone if a newer ``up`` has written them."""
    groups = read_groups(path)
    ours = groups is not None and groups.mark == mark
    kill_all(groups if groups is not None and ours else Groups(mark))
    if ours:
        for folder in sockets:
            remove_sockets(folder)
        with contextlib.suppress(OSError):
            path.unlink()


if __name__ == "__main__":
    main()
