"""The scorer's server: many clients, one batch at a time, or one for each lane of the engine."""

import contextlib
import logging
import os
import selectors
import signal
import socket
import time
from collections import deque
from pathlib import Path
from types import FrameType

from tiltyard.errors import InvalidInputError
from tiltyard.scoring.batches import BatchScorer
from tiltyard.scoring.connection import Connection
from tiltyard.scoring.lanes import Lanes

log = logging.getLogger(__name__)

PATH_BYTES = 100
LINGER_S = 1.0
"""How long answers already written may take to be read when the scorer ends."""

AT_HAND_S = 1.5
"""How long the batches in lanes may take when the scorer ends."""

ONLY_OWNER = 0o177

WAKE_BYTES = 4096

MAX_CLIENTS = 256
"""Further clients are turned away, so that descriptors never run out."""


class ScorerServer:
    """Serves batches on a unix socket in the order in which they arrive over all clients.

    Where the engine has lanes, answers come in the order in which they are ready.

    A client that is slow to read costs the others nothing: what it does not take is kept up to
    a bound, beyond which it is dropped.

    Args:
        scorer: answers a batch.
        hello: the frame each client is sent first.
        path: of the socket; whatever socket is there is replaced in one step.
    """

    def __init__(self, scorer: BatchScorer, hello: bytes | bytearray, path: Path) -> None:
        self._scorer = scorer
        self._hello = hello
        self._path = path
        self._selector = selectors.DefaultSelector()
        self._turns: deque[Connection] = deque()
        self._connections: set[Connection] = set()
        self._lanes: Lanes | None = None
        self._stopping = False

    def serve(self) -> None:
        """Serve until SIGTERM or SIGINT; the batch at hand is answered before it returns."""
        wake, woken = socket.socketpair()
        listener = bind(self._path)
        inode = self._path.lstat().st_ino
        with wake, woken, listener, self._selector:
            self._wake_on_signals(wake, woken)
            if self._scorer.lanes > 1:
                self._lanes = Lanes(self._scorer.answer, self._scorer.lanes, wake)
            self._selector.register(listener, selectors.EVENT_READ, None)
            log.info("Serving on %s", self._path)
            while not self._stopping:
                self._step(listener)
            if self._lanes is not None:
                self._lanes.end(AT_HAND_S)
            self._linger()
            signal.set_wakeup_fd(-1)
        _unlink_own(self._path, inode)

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """End after the batch at hand."""
        self._stopping = True

    def _wake_on_signals(self, wake: socket.socket, woken: socket.socket) -> None:
        # Without a wake-up a signal between the check and select would wait for a client.
        wake.setblocking(False)
        woken.setblocking(False)
        signal.set_wakeup_fd(wake.fileno())
        self._selector.register(woken, selectors.EVENT_READ, woken)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)

    def _step(self, listener: socket.socket) -> None:
        for key, events in self._selector.select(0 if self._turns and self._free else None):
            if key.fileobj is listener:
                self._accept(listener)
            elif isinstance(key.data, Connection):
                self._tend(key.data, events)
            else:
                key.data.recv(WAKE_BYTES)
        self._deliver()
        if self._turns and self._free and not self._stopping:
            self._answer(self._turns.popleft())

    @property
    def _free(self) -> bool:
        return self._lanes is None or self._lanes.free

    def _deliver(self) -> None:
        if self._lanes is not None:
            for connection in self._lanes.deliver():
                self._watch(connection)

    def _accept(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except OSError as error:  # the client is gone already, or no descriptor is free
            log.warning("A client could not be accepted: %s", error)
            return
        if len(self._connections) >= MAX_CLIENTS:
            client.close()
            return
        connection = Connection(client, self._hello)
        self._connections.add(connection)
        self._watch(connection)

    def _tend(self, connection: Connection, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            connection.flush()
        if events & selectors.EVENT_READ:
            self._turns.extend([connection] * connection.read())
        self._watch(connection)

    def _answer(self, connection: Connection) -> None:
        if connection.dead:
            return
        batch = connection.batches.popleft()
        if self._lanes is None:
            connection.send(self._scorer.answer(batch.request_id, batch.body))
        else:
            self._lanes.start(connection, batch)
        self._watch(connection)

    def _watch(self, connection: Connection) -> None:
        if connection not in self._connections:
            return
        if connection.done:
            self._drop(connection)
            return
        wanted = selectors.EVENT_READ * connection.wants_read
        wanted |= selectors.EVENT_WRITE * connection.wants_write
        registered = self._selector.get_map().get(connection.socket)
        if registered is None and wanted:
            self._selector.register(connection.socket, wanted, connection)
        elif registered is not None and not wanted:
            self._selector.unregister(connection.socket)
        elif registered is not None and registered.events != wanted:
            self._selector.modify(connection.socket, wanted, connection)

    def _drop(self, connection: Connection) -> None:
        connection.dead = True
        if connection.socket in self._selector.get_map():
            self._selector.unregister(connection.socket)
        connection.socket.close()
        self._connections.discard(connection)

    def _linger(self) -> None:
        deadline = time.monotonic() + LINGER_S
        for connection in list(self._connections):
            connection.socket.settimeout(max(0.001, deadline - time.monotonic()))
            while connection.wants_write and not connection.dead and time.monotonic() < deadline:
                connection.flush()
            self._drop(connection)


def bind(path: Path) -> socket.socket:
    """Listen at a path that only this user may use; it appears in one step.

    Raises:
        InvalidInputError: the path is too long for a socket.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    if len(os.fsencode(temporary)) > PATH_BYTES:
        raise InvalidInputError(f"{path} is too long for a socket: choose a shorter runtime_dir.")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(ONLY_OWNER)
    try:
        listener.bind(str(temporary))
    finally:
        os.umask(before)
    listener.listen(128)
    listener.setblocking(False)
    temporary.rename(path)
    return listener


def _unlink_own(path: Path, inode: int) -> None:
    # A successor may have put its socket there meanwhile.
    with contextlib.suppress(FileNotFoundError):
        if path.lstat().st_ino == inode:
            path.unlink()
