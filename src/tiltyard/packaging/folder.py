"""A version's folder: written here, read and verified wherever it goes.

Nothing here loads a model file.
"""

from pathlib import Path
from typing import Any

from tiltyard.scoring.folder import MANIFEST, digest_files, read_manifest, verify_folder
from tiltyard.types.registry import VersionManifest

__all__ = ["MANIFEST", "digest_files", "read_manifest", "seal", "verify_folder"]

PREDICTIONS_FILE = "history_predictions.arrow"


def seal(folder: Path, **fields: Any) -> VersionManifest:
    """Write ``version.json`` with the digests of all files that are in the folder now.

    Args:
        folder: of the version.
        **fields: of the manifest, all but ``files``.
    """
    manifest = VersionManifest(files=digest_files(folder), **fields)
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2))
    return manifest
