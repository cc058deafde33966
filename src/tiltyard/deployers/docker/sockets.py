"""Folders in which a scorer's container puts its socket; nothing else of the host is writable."""

import contextlib
import logging
import os
import shutil
import stat
import subprocess
from pathlib import Path

from tiltyard.errors import UnavailableError

logger = logging.getLogger(__name__)

SIZE = "64k"
INODES = 32
_REPLICAS = f"{'[0-9a-f]' * 8}/[0-9]*"


def make_folder(folder: Path, uid: int) -> None:
    """Make a folder for one scorer, writable by its user only.

    As root it is a file system of its own of 64 kB, so that a scorer cannot fill the host's
    disk; where that may not be mounted it is a plain folder.

    Args:
        folder: ``<runtime_dir>/<deployment>/<replica>``; no container uses it at the moment.
        uid: of the scorer.

    Raises:
        UnavailableError: the runtime dir is somebody else's.
    """
    _claim(folder.parent.parent)
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


def _claim(top: Path) -> None:
    """See that nobody else can put a link where something is mounted, given away and removed."""
    top.mkdir(parents=True, exist_ok=True, mode=0o755)
    found = top.lstat()
    others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {0, os.geteuid()} or others:
        raise UnavailableError(
            f"{top}, the folder of scorers' sockets, belongs to somebody else or is a link: remove "
            "it, or set runtime_dir to a folder that only Tiltyard's user can write."
        )


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
