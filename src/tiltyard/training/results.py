"""What a run leaves behind: checked, completed, packed."""

import hashlib
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tiltyard.errors import IntegrityError, TiltyardError
from tiltyard.types.registry import HistorySnapshot, VersionManifest

MANIFEST = "version.json"


def written_history(out: Path) -> HistorySnapshot:
    """Return the snapshot that a prepare notebook wrote, as control answered it.

    Raises:
        TiltyardError: it wrote none.
    """
    try:
        return HistorySnapshot.model_validate_json((out / "history.json").read_bytes())
    except FileNotFoundError:
        raise TiltyardError(
            "the notebook ended without tiltyard.write_history(...), so there is no history"
        ) from None
    except ValidationError as error:
        raise IntegrityError(f"history.json of the run cannot be read: {error}") from None


def logged_version(out: Path) -> VersionManifest:
    """Return the manifest of the version that a train notebook logged, its files as they should be.

    Raises:
        TiltyardError: it logged none.
        IntegrityError: a file is missing, changed, unlisted or a link.
    """
    folder = out / "version"
    try:
        manifest = VersionManifest.model_validate_json((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise TiltyardError(
            "the notebook ended without tiltyard.log_model(...), so there is no version"
        ) from None
    except ValidationError as error:
        raise IntegrityError(f"version.json of the run cannot be read: {error}") from None
    _check_files(folder, manifest)
    return manifest


def complete(
    folder: Path,
    manifest: VersionManifest,
    notebooks: Mapping[str, Path],
    parameters: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> VersionManifest:
    """Add notebooks, parameters and provenance to a version's folder.

    Args:
        folder: of the version.
        manifest: as the notebook logged it.
        notebooks: name in the folder → file.
        parameters: the notebook's; they go over those that were logged.
        provenance: fields that the runner knows better than the notebook; None leaves them.
    """
    for name, path in notebooks.items():
        shutil.copyfile(path, folder / name)
    files = {**manifest.files, **{name: file_digest(folder / name) for name in notebooks}}
    known = {name: value for name, value in provenance.items() if value is not None}
    whole = manifest.model_copy(
        update={
            "files": dict(sorted(files.items())),
            "parameters": {**manifest.parameters, **parameters},
            "provenance": manifest.provenance.model_copy(update=known),
        }
    )
    (folder / MANIFEST).write_text(whole.model_dump_json(indent=2))
    return whole


def pack(folder: Path, target: Path) -> None:
    """Write a folder's files to a tar, by their paths in it."""
    with tarfile.open(target, "w") as tar:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            tar.add(path, path.relative_to(folder).as_posix(), recursive=False)


def file_digest(path: Path) -> str:
    """Return SHA-256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_files(folder: Path, manifest: VersionManifest) -> None:
    found = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if not p.is_dir()}
    found.pop(MANIFEST, None)
    links = [name for name, path in found.items() if path.is_symlink()]
    missing = manifest.files.keys() ^ found.keys()
    wrong = links or sorted(missing) or _changed(found, manifest.files)
    if wrong:
        raise IntegrityError(
            f"The logged version is not what its version.json says: {', '.join(wrong)}.",
            files=wrong,
        )


def _changed(found: Mapping[str, Path], files: Mapping[str, str]) -> list[str]:
    return [name for name, path in sorted(found.items()) if file_digest(path) != files[name]]
