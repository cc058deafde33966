"""Where followers are, and how they are sent back."""

from tiltyard.stores.base import Store
from tiltyard.types.base import Document

MOST_COUNTED = 10_000
"""More rows than this are told as this many."""


class Progress(Document):
    """How far a follower is.

    Attributes:
        cursor: gateway → seq up to which it has scored.
        watermark: gateway → seq up to which the store holds all.
        behind: logged rows of the model after the cursor, counted up to 10,000.
    """

    cursor: dict[int, int]
    watermark: dict[int, int]
    behind: int


def progress(store: Store, model: str, version: int) -> Progress:
    """Return how far a follower is; one that never began is behind by all."""
    cursor = store.cursor(model, version) or {}
    watermark = store.watermarks()
    behind = 0
    for gateway, mark in watermark.items():
        after = cursor.get(gateway, -1)
        if after < mark and behind < MOST_COUNTED:
            behind += len(store.log(model, gateway, after, MOST_COUNTED - behind))
    return Progress(cursor=cursor, watermark=watermark, behind=behind)


def set_back(store: Store, model: str, version: int, since: int) -> None:
    """Set a cursor to where rows of bucket time ≥ ``since`` begin, never forward."""
    wanted = store.position(model, since)
    cursor = store.cursor(model, version)
    if cursor is not None:
        # A gateway that the cursor lacks is at its beginning already.
        wanted = {g: min(seq, cursor[g]) for g, seq in wanted.items() if g in cursor}
    store.set_cursor(model, version, wanted)
