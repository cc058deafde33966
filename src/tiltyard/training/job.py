"""What the runner tells the process that executes a notebook."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Job:
    """What to execute.

    Attributes:
        source: the notebook; the files beside it can be imported.
        output: where papermill keeps the executed notebook.
        progress: file to which a line of JSON is appended for each cell.
    """

    source: str
    output: str
    progress: str
    parameters: dict[str, Any]

    def write(self, path: Path) -> None:
        """Keep it as JSON."""
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> "Job":
        """Read it back."""
        return cls(**json.loads(path.read_text()))
