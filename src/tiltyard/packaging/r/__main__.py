"""``python -m tiltyard.packaging.r``: carries out what an R session asks for, until it ends.

R writes a folder with ``request.json`` and perhaps a table ``frame``, and a line with the folder's
path to standard input. ``answer.json`` and perhaps a table ``answer`` are then in it, and a line
``answered`` is on standard output; before it come lines ``said <JSON text>`` for people. A folder
as argument is one such request.
"""

import io
import json
import os
import sys
from pathlib import Path
from typing import Any, TextIO

import pandas as pd
from pydantic import BaseModel

from tiltyard.errors import TiltyardError
from tiltyard.packaging.r.reading import RTable, read_table
from tiltyard.packaging.r.verbs import call_verb
from tiltyard.packaging.r.writing import write_table

PREFIX = "TILTYARD_"


class Saying(io.TextIOBase):
    """Standard output of the verbs: each line becomes one for people in the R session."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def write(self, text: str) -> int:
        """Pass whole lines on."""
        for line in text.splitlines():
            self._stream.write(f"said {json.dumps(line)}\n")
        self._stream.flush()
        return len(text)


def main() -> None:
    """Serve requests from standard input, or the one whose folder is given."""
    # What libraries print by themselves must not stand between the lines of the protocol.
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = Saying(lines)
    folders = sys.argv[1:] or (line.rstrip("\n") for line in sys.stdin)
    for folder in folders:
        answer(Path(folder))
        lines.write("answered\n")
        lines.flush()


def answer(folder: Path) -> None:
    """Carry out the request in a folder and leave its answer there."""
    try:
        told = _answer(folder)
    except TiltyardError as error:
        told = {**error.body(), "exit_code": error.exit_code}
    # Whatever a verb stumbles over is the session's to see, and no reason to end here.
    except Exception as error:
        sentence = f"{type(error).__name__}: {error}"
        told = {"error": {"code": "error", "message": sentence, "details": {}}}
    (folder / "answer.json").write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")


def _answer(folder: Path) -> dict[str, Any]:
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    _move(request["folder"], request["environment"])
    found = call_verb(request["verb"], request["arguments"], _table(folder / "frame"))
    if isinstance(found, pd.DataFrame):
        write_table(folder / "answer", found)
        return {"table": True, "attributes": {k: v for k, v in found.attrs.items() if v}}
    plain = found.model_dump(mode="json") if isinstance(found, BaseModel) else found
    return {"value": plain}


def _move(folder: str, environment: dict[str, str]) -> None:
    """Stand where the R session stands: its folder, its settings."""
    os.chdir(folder)
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    os.environ.update(environment)


def _table(folder: Path) -> RTable | None:
    return read_table(folder) if folder.is_dir() else None


if __name__ == "__main__":
    main()
