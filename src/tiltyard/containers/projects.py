"""Local projects that run in a container: what of them is mounted, and what is called."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tiltyard.errors import InvalidInputError, NotFoundError

INTERPRETERS = {".py": "python", ".sh": "sh", ".r": "Rscript"}

_KEPT = tuple(
    Path(path)
    for path in (
        *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/opt/venv", "/proc", "/sbin"),
        *("/sys", "/usr"),
    )
)
"""What a container has there is needed there."""
_SHARED = tuple(Path(path) for path in ("/", "/home", "/run", "/tmp", "/var"))  # noqa: S108


@dataclass(frozen=True)
class Project:
    """What to run.

    Attributes:
        folder: mounted at its own path, so that tracebacks name the files that are here.
        workdir: the folder that the command begins in.
        command: program and arguments.
    """

    folder: Path
    workdir: Path
    command: tuple[str, ...]


def project_of(path: Path, arguments: Sequence[str], folder: Path | None = None) -> Project:
    """Return the project that a script or a folder stands for.

    Args:
        path: a script, by whose ending its interpreter is chosen, or a folder.
        arguments: of the script; for a folder the whole command, and without one the folder's
            ``__main__.py`` is run.
        folder: what is mounted for a script; else this process's folder if the script is below
            it and it is a project's, not a home or a system folder; else the script's.

    Raises:
        NotFoundError: there is no such file or folder.
        InvalidInputError: it cannot be run, or the folder cannot be mounted; saying why.
    """
    given, path = path, _absolute(path)
    if not path.exists():
        raise NotFoundError("script or folder", path)
    here = _absolute(Path())
    if path.is_dir():
        mounted, command = path, _of_folder(path, arguments, given)
    else:
        mounted = _absolute(folder) if folder else _around(path, here)
        if not _below(path, mounted):
            raise InvalidInputError(f"{path} is not in the project {mounted}.")
        command = (_interpreter(path), str(path), *arguments)
    _check(mounted)
    return Project(mounted, here if _below(here, mounted) else mounted, command)


def _of_folder(folder: Path, arguments: Sequence[str], given: Path) -> tuple[str, ...]:
    command = tuple(arguments[1:] if arguments[:1] == ["--"] else arguments)
    if command:
        return command
    if (folder / "__main__.py").exists():
        return ("python", str(folder))
    raise InvalidInputError(
        f"Say what to run in {folder}: `tiltyard exec {given} -- python main.py`."
    )


def _interpreter(script: Path) -> str:
    found = INTERPRETERS.get(script.suffix.lower())
    if found is None:
        known = ", ".join(INTERPRETERS)
        raise InvalidInputError(
            f"{script.name} is no script of {known}. Give its folder and the command: "
            f"`tiltyard exec {script.parent} -- …`."
        )
    return found


def _around(script: Path, here: Path) -> Path:
    own = _below(script, here) and _fits(here) and here != Path.home()
    return here if own else script.parent


def _fits(folder: Path) -> bool:
    hides = any(_below(kept, folder) or _below(folder, kept) for kept in _KEPT)
    return not hides and folder not in _SHARED


def _check(folder: Path) -> None:
    if not folder.is_dir():
        raise NotFoundError("folder", folder)
    if not _fits(folder):
        raise InvalidInputError(
            f"{folder} cannot be mounted as a project: the container has its own. Work in a folder "
            "of the project's own, or name one by --project."
        )


def _absolute(path: Path) -> Path:
    # Links are kept: what a traceback names is to be what the caller calls it.
    return Path(os.path.abspath(path))  # noqa: PTH100


def _below(path: Path, folder: Path) -> bool:
    return path.is_relative_to(folder)
