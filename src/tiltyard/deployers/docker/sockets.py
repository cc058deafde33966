"""Folders in which a scorer's container puts its socket; nothing else of the host is writable."""

import contextlib
import logging
import os
import shutil
import subprocess
from pathlib import Path

logger = logging.getLogger(__name__)

SIZE = "64k"
INODES = 32
_REPLICAS = f"{'[0-9a-f]' * 8}/[0-9]*"


def make_folder(folder: Path, uid: int) -> None:
    """Make a folder for one scorer, writable by its user only.

    As root it is a file system of its own of 64 kB, so that a scorer cannot fill the host's
    disk; where that may not be mounted it is a plain folder.

    Args:
        folder: no container uses it at the moment.
        uid: of the scorer.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if os.geteuid() != 0:
        return
    if not folder.is_mount():
        _mount(folder, uid)
    os.chown(folder, uid, uid)


def remove_folder(folder: Path) -> None:
    """Remove it with what is in it, and the folder of its deployment when that is empty."""
    if folder.is_mount():
        _run("umount", "--lazy", str(folder))
    with contextlib.suppress(OSError):
        shutil.rmtree(folder)
        folder.parent.rmdir()


def remove_folders(top: Path) -> None:
    """Remove the folders of all scorers; none of them runs any more."""
    for folder in top.glob(_REPLICAS):
        remove_folder(folder)
    with contextlib.suppress(OSError):
        top.rmdir()


def _mount(folder: Path, uid: int) -> None:
    options = f"size={SIZE},nr_inodes={INODES},mode=0700,uid={uid},gid={uid},nosuid,nodev,noexec"
    if not _run("mount", "-t", "tmpfs", "-o", options, "tiltyard-scorer", str(folder)):
        logger.warning(
            "%s could not be bounded in size: mount a tmpfs on the folder above, and set "
            "runtime_dir to it.",
            folder,
        )


def _run(*command: str) -> bool:
    done = subprocess.run(command, check=False, capture_output=True)  # noqa: S603  as above
    return done.returncode == 0
