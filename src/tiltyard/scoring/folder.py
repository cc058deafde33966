"""Reads and verifies a version's folder; never loads a model file."""

import hashlib
from pathlib import Path

from pydantic import ValidationError

from tiltyard.errors import IntegrityError
from tiltyard.types.registry import VersionManifest

MANIFEST = "version.json"


def read_manifest(folder: Path) -> VersionManifest:
    """Read ``version.json``.

    Raises:
        IntegrityError: it is missing or no manifest.
    """
    path = folder / MANIFEST
    try:
        return VersionManifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise IntegrityError(f"{path} cannot be read: {error.strerror}.") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise IntegrityError(f"{path} is no manifest: {place}: {first['msg']}.") from None


def verify_folder(folder: Path) -> VersionManifest:
    """Return the manifest after comparing every file with its digest.

    Raises:
        IntegrityError: naming the file that is missing, changed, a link or not declared.
    """
    manifest = read_manifest(folder)
    found = digest_files(folder)
    for name in sorted(found.keys() | manifest.files.keys()):
        _compare(folder, name, manifest.files.get(name), found.get(name))
    return manifest


def digest_files(folder: Path) -> dict[str, str]:
    """Return path → SHA-256 (hex) of every file below a folder but its ``version.json``.

    Raises:
        IntegrityError: there is a link or something else that is no file.
    """
    digests = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise IntegrityError(f"{name} of {folder} is no plain file: remove it.", file=name)
        if path.is_file() and name != MANIFEST:
            with path.open("rb") as file:
                digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def _compare(folder: Path, name: str, declared: str | None, found: str | None) -> None:
    if found == declared:
        return
    if found is None:
        wrong = "is missing"
    elif declared is None:
        wrong = "is not declared in version.json"
    else:
        wrong = "is not what its digest in version.json says"
    raise IntegrityError(
        f"{name} of {folder} {wrong}: take the version from the artifact store again.", file=name
    )
