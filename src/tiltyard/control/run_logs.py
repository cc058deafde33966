"""The logs of runs as runners send them: ``home/logs/runs/<id>.txt``.

A runner on the same machine prints to a file of its own and sends from there.
"""

import codecs
from pathlib import Path

from tiltyard.control.parts import Parts
from tiltyard.types.registry import Run

MOST_BYTES = 1_000_000


def read(parts: Parts, run: Run, offset: int) -> tuple[str, int]:
    """Return the text from a byte offset on, and the offset after it.

    A character of which only a part is written yet stays for the next reading.
    """
    try:
        with _path(parts, run).open("rb") as file:
            file.seek(offset)
            data = file.read(MOST_BYTES)
    except FileNotFoundError:
        return "", offset
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(data, final=run.state.ended and len(data) < MOST_BYTES)
    held, _ = decoder.getstate()
    return text, offset + len(data) - len(held)


def append(parts: Parts, run: Run, text: str) -> None:
    """Append to a run's log."""
    path = _path(parts, run)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def _path(parts: Parts, run: Run) -> Path:
    return parts.settings.path("logs", "runs", f"{run.id}.txt")
