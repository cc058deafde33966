"""A door before the real Docker Engine, which a test shuts or lets fill up."""

import contextlib
import json
import socket
import threading
from pathlib import Path

ENGINE = "/var/run/docker.sock"
_FULL = json.dumps({"message": "mkdir /var/lib/docker/overlay2: no space left on device"}).encode()
_REFUSAL = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\n"
    + f"Content-Length: {len(_FULL)}\r\nConnection: close\r\n\r\n".encode()
    + _FULL
)


class EngineDoor:
    """Hands requests on to the engine, as long as it is not told otherwise.

    Args:
        socket_path: where callers find it.
        engine: the engine's own socket.

    Attributes:
        away: nobody is answered, as if no engine ran.
        full: no container is created, as if the engine's disk were full.
    """

    def __init__(self, socket_path: Path, engine: str = ENGINE) -> None:
        self.url = f"unix://{socket_path}"
        self.away = False
        self.full = False
        self._engine = engine
        self._open: set[socket.socket] = set()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(socket_path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def shut(self, *, away: bool) -> None:
        """Be away, or back; what is connected is cut off."""
        self.away = away
        for connection in list(self._open):
            _end(connection)

    def close(self) -> None:
        """End for good."""
        self.shut(away=True)
        _end(self._listener)

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            if self.away:
                caller.close()
                continue
            engine = socket.socket(socket.AF_UNIX)
            engine.connect(self._engine)
            self._open |= {caller, engine}
            for source, target in ((caller, engine), (engine, caller)):
                threading.Thread(target=self._hand_on, args=(source, target), daemon=True).start()

    def _hand_on(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                if self.full and data.startswith(b"POST ") and b"/containers/create" in data:
                    source.sendall(_REFUSAL)
                    break
                target.sendall(data)
        except OSError:
            pass
        for connection in (source, target):
            _end(connection)
            self._open.discard(connection)


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
