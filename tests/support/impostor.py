"""A socket that greets like a scorer and answers like none."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tiltyard.scoring.frames import Frame, FrameBuffer, Hello, decode_batch, encode_hello
from tiltyard.types.registry import VersionManifest

Behave = Callable[[int, int], bytes | bytearray | None]
"""From request id and number of rows to what is sent; None closes the connection."""


def hello(manifest: VersionManifest) -> bytes:
    """Return the greeting of a version's scorer."""
    found = Hello(manifest.model, manifest.signature.digest, "sklearn", "python", 1, 1)
    return bytes(encode_hello(found))


@contextmanager
def impostor(path: Path, greeting: bytes, behave: Behave) -> Iterator[list[int]]:
    """Listen on a path; yield the list of the batches' sizes, which grows."""
    seen: list[int] = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    threading.Thread(target=_accept, args=(listener, greeting, behave, seen), daemon=True).start()
    try:
        yield seen
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        path.unlink()


def _accept(listener: socket.socket, greeting: bytes, behave: Behave, seen: list[int]) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            with client, suppress(OSError):
                _serve(client, greeting, behave, seen)


def _serve(client: socket.socket, greeting: bytes, behave: Behave, seen: list[int]) -> None:
    client.sendall(greeting)
    buffer = FrameBuffer()
    while data := client.recv(65_536):
        for frame in buffer.feed(data):
            answer = behave(frame.request_id, _rows(frame, seen))
            if answer is None:
                return
            client.sendall(answer)


def _rows(frame: Frame, seen: list[int]) -> int:
    seen.append(decode_batch(frame.body).n)
    return seen[-1]
