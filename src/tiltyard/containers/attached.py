"""A container whose streams this process holds.

Its standard input ends when this process does, however it ends.
"""

import contextlib
import logging
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tiltyard.containers.engine import translated
from tiltyard.errors import ConflictError, TiltyardError
from tiltyard.settings import Settings

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

STDOUT = 1
STDERR = 2
KILLED = 137
"""Exit code of what SIGKILL has ended."""

_END_S = 30.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ended:
    """How a container ended.

    Attributes:
        code: what its command exited with.
        out_of_memory: a process in it was killed because the container wanted too much.
        removed: somebody has removed it, so that its code is not known.
    """

    code: int
    out_of_memory: bool = False
    removed: bool = False


class Attached:
    """A container that has been made, with its streams.

    Args:
        container: not started yet.
        settings: name the engine in errors.
    """

    def __init__(self, container: "Container", settings: Settings) -> None:
        self.container = container
        self._settings = settings
        self._removed = False
        self._stream: Any = None
        self._socket: socket.socket | None = None

    def attach(self) -> None:
        """Take hold of its streams, before its start: so nothing that it prints is missed.

        Raises:
            UnavailableError: the engine is away.
        """
        wanted = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        with translated(self._settings):
            self._stream = self.container.attach_socket(params=wanted)
        self._socket = getattr(self._stream, "_sock", self._stream)

    def start(self) -> None:
        """Start it.

        Raises:
            TiltyardError: the engine is away or cannot start it.
        """
        with translated(self._settings):
            self.container.start()

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """Yield what it prints, as it comes: ``STDOUT`` or ``STDERR``, and bytes."""
        from docker.utils.socket import frames_iter  # noqa: PLC0415  an extra

        # An engine that goes away may reset the connection; ``ended`` says so.
        with contextlib.suppress(ConnectionError):
            yield from frames_iter(self._stream, tty=False)

    def write(self, data: bytes) -> None:
        """Write to its standard input; nothing more than that when it has ended."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.sendall(data)

    def close_input(self) -> None:
        """End its standard input."""
        self._shut(socket.SHUT_WR)

    def signal(self, number: int) -> None:
        """Send a signal to its command; one that has ended gets none."""
        with contextlib.suppress(TiltyardError), translated(self._settings):
            self.container.kill(number)

    def ended(self) -> Ended:
        """Wait for its end, and return how it was.

        Raises:
            UnavailableError: the engine is away.
        """
        from docker.errors import NotFound  # noqa: PLC0415  an extra

        with translated(self._settings):
            try:
                code = int(self.container.wait(timeout=_END_S)["StatusCode"])
                self.container.reload()
            except NotFound:
                return Ended(KILLED, removed=True)
        return Ended(code, out_of_memory=bool(self.container.attrs["State"]["OOMKilled"]))

    def remove(self) -> None:
        """Remove it, whatever it does; that ends its streams."""
        from docker.errors import NotFound  # noqa: PLC0415  an extra

        if self._removed:
            return
        try:
            with translated(self._settings), contextlib.suppress(NotFound):
                self.container.remove(force=True, v=True)
            self._removed = True
        except ConflictError:
            # Somebody else is at it.
            self._wait_until_removed()
        except TiltyardError as error:
            # ``ending`` finds it by its labels.
            log.warning("Container %s is left: %s", self.container.name, error.message)

    def close(self) -> None:
        """Let go of its streams; who reads them finds their end."""
        self._shut(socket.SHUT_RDWR)
        # The library leaves it to the garbage collector.
        for stream in (self._socket, self._stream):
            if stream is not None:
                stream.close()

    def _shut(self, how: int) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(how)

    def _wait_until_removed(self) -> None:
        from docker.errors import NotFound  # noqa: PLC0415  an extra

        with contextlib.suppress(TiltyardError), translated(self._settings):
            with contextlib.suppress(NotFound):
                self.container.wait(condition="removed", timeout=_END_S)
            self._removed = True


@contextmanager
def attached(
    client: "DockerClient", settings: Settings, image: str, command: Sequence[str], **options: Any
) -> Iterator[Attached]:
    """Make a container and hold its streams; at the end it is removed, whatever it does then.

    Args:
        client: of the engine.
        settings: name the engine in errors.
        image: id.
        command: in it.
        **options: of the Docker SDK's ``containers.create``.

    Raises:
        TiltyardError: the engine is away, or cannot make it.
    """
    with translated(settings):
        container = client.containers.create(image, list(command), stdin_open=True, **options)
    held = Attached(container, settings)
    try:
        held.attach()
        yield held
    finally:
        held.remove()
        held.close()
