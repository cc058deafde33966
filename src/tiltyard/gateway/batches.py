"""Taking pieces off a queue into a batch's frame."""

from collections import deque
from collections.abc import Sequence
from typing import Any

from tiltyard.gateway.tickets import Piece


class PieceQueue:
    """Pieces that wait for a scorer, in order; ``rows`` is how many rows they are."""

    def __init__(self) -> None:
        self._pieces: deque[Piece] = deque()
        self.rows = 0

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def add(self, piece: Piece) -> None:
        """Put a piece at the end."""
        self._pieces.append(piece)
        self.rows += piece.size

    def put_back(self, pieces: Sequence[Piece]) -> None:
        """Put pieces at the front."""
        self._pieces.extendleft(reversed(pieces))
        self.rows += sum(piece.size for piece in pieces)

    def next_is_alone(self) -> bool:
        """Whether the next piece must be a batch of its own."""
        return self._pieces[0].retried

    def take(self, max_rows: int) -> list[Piece]:
        """Return the pieces of the next batch; none when all that waited has ended."""
        taken: list[Piece] = []
        room = max_rows
        pieces = self._pieces
        while pieces and pieces[0].size <= room:
            if pieces[0].retried and taken:
                break
            piece = pieces.popleft()
            self.rows -= piece.size
            if piece.ticket.ended:
                continue
            taken.append(piece)
            room = 0 if piece.retried else room - piece.size
        return taken


def contents(pieces: Sequence[Piece], row_bytes: int) -> tuple[int, bytes, list[Sequence[Any]]]:
    """Return n, numeric and others of the batch of these pieces."""
    numeric: list[bytes] = []
    others: list[tuple[Any, ...]] = []
    count = 0
    for piece in pieces:
        ticket, start, stop = piece.ticket, piece.start, piece.stop
        whole = stop - start == len(ticket.rows)
        count += stop - start
        numeric.append(
            ticket.numeric if whole else ticket.numeric[start * row_bytes : stop * row_bytes]
        )
        if ticket.others is not None:
            others.extend(ticket.others if whole else ticket.others[start:stop])
    return count, b"".join(numeric), list(zip(*others, strict=True))
