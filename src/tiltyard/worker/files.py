"""Small files of the worker in the home folder; each can be done without."""

import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)


def replace_file(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its user only; a failure is only logged."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        new.touch(mode=0o600)
        new.write_text(text)
        new.replace(path)
    except OSError as error:
        log.warning("cannot write %s: %s", path, error)
