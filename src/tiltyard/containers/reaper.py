"""``python -m tiltyard.containers.reaper <container>``: removes it when standard input ends.

That is when who waits for the container was killed; else this process is killed before.
"""

import contextlib
import sys


def main() -> None:
    """Wait, then remove."""
    sys.stdin.buffer.read()
    # Not before: most of these processes wait in vain.
    import docker  # noqa: PLC0415
    from docker.errors import NotFound  # noqa: PLC0415

    with contextlib.closing(docker.from_env()) as client, contextlib.suppress(NotFound):
        client.containers.get(sys.argv[1]).remove(force=True, v=True)


if __name__ == "__main__":
    main()
