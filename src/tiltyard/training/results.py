"""What a run leaves behind: checked, completed, packed."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tiltyard.artifacts import listing, pack
from tiltyard.artifacts.disk import room_on
from tiltyard.errors import IntegrityError, TiltyardError
from tiltyard.training.folder import NotPlainError, read_plain
from tiltyard.types.registry import HistorySnapshot, VersionManifest

MANIFEST = "version.json"

MOST_TOLD_BYTES = 64_000_000
"""A document that a notebook leaves is not longer."""


def written_history(out: Path) -> HistorySnapshot:
    """Return the snapshot that a prepare notebook wrote, as control answered it.

    Raises:
        TiltyardError: it wrote none.
    """
    try:
        return HistorySnapshot.model_validate_json(_told(out / "history.json"))
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
        IntegrityError: a file is missing, changed or unlisted.
        InvalidInputError: one is a link or a special file.
    """
    folder = out / "version"
    try:
        if folder.is_symlink():
            raise NotPlainError(folder)
        manifest = VersionManifest.model_validate_json(_told(folder / MANIFEST))
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
    files = listing(folder)
    del files[MANIFEST]
    known = {name: value for name, value in provenance.items() if value is not None}
    whole = manifest.model_copy(
        update={
            "files": files,
            "parameters": {**manifest.parameters, **parameters},
            "provenance": manifest.provenance.model_copy(update=known),
        }
    )
    (folder / MANIFEST).write_text(whole.model_dump_json(indent=2))
    return whole


def pack_version(folder: Path, target: Path) -> None:
    """Write a version's folder as a tar.

    Raises:
        UnavailableError: the disk is full.
    """
    with room_on(target.parent), target.open("wb") as file:
        file.writelines(pack(folder))


def _told(path: Path) -> bytes:
    return read_plain(path, MOST_TOLD_BYTES)


def _check_files(folder: Path, manifest: VersionManifest) -> None:
    found = listing(folder)
    del found[MANIFEST]
    if found != manifest.files:
        wrong = sorted({name for name, _ in found.items() ^ manifest.files.items()})
        raise IntegrityError(
            f"The logged version is not what its version.json says: {', '.join(wrong)}.",
            files=wrong,
        )
