"""The folder of one run, and how to read what somebody else has put there."""

import errno
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tiltyard.artifacts.disk import room_on
from tiltyard.errors import InvalidInputError, UnavailableError

_UNWANTED = shutil.ignore_patterns("__pycache__", ".*")


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run; see docs/architecture.md, "Runs".

    What a run may write is in ``out``, ``work`` and ``private``; nothing in them is to be trusted.
    """

    path: Path

    @property
    def out(self) -> Path:
        """What the notebook leaves: ``TILTYARD_RUN_DIR``."""
        return self.path / "out"

    @property
    def work(self) -> Path:
        """The run's own copy of the pipeline's folder."""
        return self.path / "work"

    @property
    def private(self) -> Path:
        """The job, its progress, and what Jupyter keeps."""
        return self.path / "private"

    @property
    def log(self) -> Path:
        """All that the notebook and its processes print."""
        return self.path / "log.txt"

    @property
    def source(self) -> Path:
        """The notebook as it was before the run."""
        return self.path / "source.ipynb"

    @property
    def notebook(self) -> Path:
        """The executed notebook, whole."""
        return self.path / "notebook.ipynb"

    @property
    def written(self) -> tuple[Path, ...]:
        """The folders that the run may write."""
        return self.out, self.work, self.private

    def prepare(self, notebook: Path) -> None:
        """Begin anew: what an earlier attempt left is removed, the log goes on.

        Raises:
            UnavailableError: the disk is full, or the pipeline cannot be read.
        """
        self.clean()
        self.notebook.unlink(missing_ok=True)
        with room_on(self.path):
            self.out.mkdir(parents=True)
            self.log.touch()
            shutil.copyfile(notebook, self.source)
            _copy(notebook.parent, self.work)
            self.private.mkdir(mode=0o700)

    def clean(self) -> None:
        """Remove all but the log and the executed notebook."""
        for folder in self.written:
            _open_all(folder)
            shutil.rmtree(folder, ignore_errors=True)
        self.source.unlink(missing_ok=True)


def read_plain(path: Path, most: int) -> bytes:
    """Return a file that somebody else has made.

    Args:
        path: as in ``open_plain``.
        most: bytes.

    Raises:
        FileNotFoundError: it is not there.
        InvalidInputError: it is no plain file, or larger.
    """
    with open_plain(path) as file:
        if os.fstat(file.fileno()).st_size > most:
            raise InvalidInputError(f"{path} is larger than {most} bytes.")
        return file.read(most)


def open_plain(path: Path) -> BinaryIO:
    """Open a file that somebody else has made; no link is followed and nothing waited for.

    Args:
        path: whose folder they could not replace.

    Raises:
        FileNotFoundError: it is not there.
        InvalidInputError: it is no plain file.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:
            raise NotPlainError(path) from None
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise NotPlainError(path)
    return os.fdopen(handle, "rb")


class NotPlainError(InvalidInputError):
    """A link, a folder, a pipe or the like stands where a file should."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is no plain file.", path=str(path))


def _copy(pipeline: Path, work: Path) -> None:
    try:
        shutil.copytree(pipeline, work, ignore=_UNWANTED)
    except shutil.Error as error:
        # It gathers what went wrong as text.
        *_, why = error.args[0][0]
        if os.strerror(errno.ENOSPC) in why:
            raise OSError(errno.ENOSPC, why) from error
        raise UnavailableError(f"The pipeline cannot be copied: {why}.") from error


def _open_all(folder: Path) -> None:
    # Root removes what it likes, and must not follow a link that is put there meanwhile.
    if os.geteuid() == 0:
        return
    # What a notebook has made read-only can be removed, too.
    for path, names, _ in os.walk(folder):
        for name in names:
            if not os.path.islink(inside := os.path.join(path, name)):  # noqa: PTH114, PTH118  fast
                Path(inside).chmod(stat.S_IRWXU)
