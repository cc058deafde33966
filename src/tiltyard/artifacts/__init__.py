"""Content-addressed folders on disk, and the tars in which they travel."""

from tiltyard.artifacts.folders import folder_digest, listing
from tiltyard.artifacts.store import ArtifactStore
from tiltyard.artifacts.tars import pack, unpack

__all__ = ["ArtifactStore", "folder_digest", "listing", "pack", "unpack"]
