"""Heads that came before: an application sends the same bytes with each call.

A head is remembered when it was parsed, found good, and belonged to a call that was let in. The
same bytes at the start of a message can mean nothing else, so they need not be parsed again,
which is a third of the work of reading a call. Who may call is asked each time.
"""

from typing import NamedTuple

from tiltyard.gateway.paths import Target

END_OF_HEAD = b"\r\n\r\n"
MAX_HEAD_BYTES = 2_048
MAX_HEADS = 1_024


class Recalled(NamedTuple):
    """What a remembered head says: a call on a connection that is kept, with a body so long."""

    target: Target
    authorization: bytes
    content_length: int


class Heads:
    """The heads that one gateway remembers, bounded."""

    def __init__(self) -> None:
        self._known: dict[bytes, Recalled] = {}

    def find(self, data: bytes) -> tuple[Recalled, bytes] | None:
        """Return what the head says and the body, if data is one whole call of a known head."""
        end = data.find(END_OF_HEAD, 0, MAX_HEAD_BYTES) + len(END_OF_HEAD)
        recalled = self._known.get(data[:end])
        if recalled is None or len(data) - end != recalled.content_length:
            return None
        return recalled, data[end:]

    def remember(self, data: bytes, recalled: Recalled) -> None:
        """Remember the head of data, which was parsed as one call, from its start to its end.

        Of less than a whole call the body's length would not tell where the head ends.
        """
        end = len(data) - recalled.content_length
        if end > MAX_HEAD_BYTES or data.find(END_OF_HEAD) + len(END_OF_HEAD) != end:
            return
        if len(self._known) >= MAX_HEADS:
            self._known.clear()
        self._known[data[:end]] = recalled
