"""A user's folder: the root of their JupyterLab, with pipelines of their own to work on."""

import logging
import shutil
from pathlib import Path

logger = logging.getLogger(__name__)

PIPELINES = "pipelines"
_NOT_COPIED = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", ".*")


def prepare_folder(folder: Path, pipelines: Path) -> None:
    """Make a user's folder and copy into it each pipeline that is not there yet.

    A pipeline that is there is the user's and stays as it is; who wants the installation's
    again removes or renames the folder.

    Args:
        folder: the user's, readable by its owner only.
        pipelines: the installation's pipelines, one folder each.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not pipelines.is_dir():
        logger.warning("There are no pipelines to copy in %s.", pipelines)
        return
    own = folder / PIPELINES
    own.mkdir(exist_ok=True)
    for source in sorted(pipelines.iterdir()):
        if source.name.startswith(".") or (own / source.name).exists():
            continue
        _copy(source, own / source.name)


def _copy(source: Path, target: Path) -> None:
    """Copy a file or folder so that a half copy is never taken for a whole one."""
    temporary = target.with_name(f".{target.name}.new")
    if temporary.is_dir():
        shutil.rmtree(temporary)
    if source.is_dir():
        shutil.copytree(source, temporary, ignore=_NOT_COPIED)
    else:
        shutil.copyfile(source, temporary)
    temporary.rename(target)
