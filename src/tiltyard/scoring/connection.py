"""One client's connection as the scorer sees it; nothing here blocks."""

import socket
from collections import deque

from tiltyard.scoring import frames
from tiltyard.scoring.frames import Frame, FrameBuffer, Kind, ProtocolError

WAITING_FRAMES = 64
"""A client with so many unanswered batches is not read from until some are answered."""

WAITING_BYTES = 32 * 2**20
"""A client that leaves more answers than this unread is dropped."""

READ_BYTES = 262_144


class Connection:
    """Frames in, frames out.

    Attributes:
        batches: complete batches that wait, oldest first.
        scoring: how many more are being scored.
        closing: nothing more is read; it ends when all is answered and sent.
        dead: of no more use.
    """

    def __init__(self, client: socket.socket, hello: bytes | bytearray) -> None:
        client.setblocking(False)
        self.socket = client
        self.batches: deque[Frame] = deque()
        self.scoring = 0
        self.closing = False
        self.dead = False
        self._in = FrameBuffer()
        self._out = bytearray()
        self.send(hello)

    @property
    def wants_read(self) -> bool:
        """Whether more is read from the client now."""
        return not self.closing and len(self.batches) < WAITING_FRAMES

    @property
    def wants_write(self) -> bool:
        """Whether something waits for the client to read."""
        return bool(self._out)

    @property
    def done(self) -> bool:
        """Whether the connection can be closed."""
        left = self.batches or self.scoring or self._out
        return self.dead or (self.closing and not left)

    def read(self) -> int:
        """Take what has arrived; return how many batches are complete by it."""
        try:
            data = self.socket.recv(READ_BYTES)
        except BlockingIOError:
            return 0
        except OSError:
            self.dead = True
            return 0
        if not data:  # the client sends no more, but may still want its answers
            self.closing = True
            return 0
        return self._take(data)

    def send(self, frame: bytes | bytearray) -> None:
        """Send a frame, or keep what the client does not take yet."""
        if self.dead:
            return
        self._out += frame
        self.flush()
        if len(self._out) > WAITING_BYTES:
            self.dead = True

    def flush(self) -> None:
        """Send what the client takes now."""
        if self.dead or not self._out:
            return
        try:
            sent = self.socket.send(self._out)
        except BlockingIOError:
            return
        except OSError:
            self.dead = True
            return
        del self._out[:sent]

    def _take(self, data: bytes) -> int:
        try:
            batches = [_batch(frame) for frame in self._in.feed(data)]
        except ProtocolError as error:
            self.send(frames.encode_error(0, error.message))
            self.closing = True
            return 0
        self.batches.extend(batches)
        return len(batches)


def _batch(frame: Frame) -> Frame:
    if frame.kind != Kind.BATCH:
        raise ProtocolError(f"A scorer takes batches, not frames of kind {frame.kind}.")
    return frame
