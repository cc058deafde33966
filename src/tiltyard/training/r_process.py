"""R of this host: whether it can execute notebooks, and executing them."""

import shutil
import subprocess
from functools import cache
from typing import NamedTuple

from tiltyard.errors import UnavailableError
from tiltyard.settings import Settings
from tiltyard.training.keys import environment_digest
from tiltyard.training.process import ProcessPlace
from tiltyard.types.base import digest

NEEDED = ("IRkernel", "tiltyard")
INSTALL = {
    "IRkernel": "apt-get install r-cran-irkernel",
    "tiltyard": "R CMD INSTALL spawner_images/lab-r/tiltyard",
}
APT = (
    "apt-get install r-base-core r-cran-irkernel r-cran-processx, then R CMD INSTALL "
    "spawner_images/lab-r/tiltyard"
)
TIMEOUT_S = 60

_ASK = (
    'p <- installed.packages()[, "Version"]; p <- p[order(names(p), method = "radix")];'
    'cat(R.version.string, paste(names(p), p, sep = "\\t"), sep = "\\n")'
)


class Installed(NamedTuple):
    """R of this host: its version as a sentence, and its packages' versions."""

    version: str
    packages: dict[str, str]

    @property
    def missing(self) -> list[str]:
        """Packages without which no notebook runs."""
        return [name for name in NEEDED if name not in self.packages]


@cache
def installed_r() -> Installed:
    """Return what R there is.

    Raises:
        UnavailableError: there is none, or it does not work.
    """
    path = shutil.which("Rscript")
    if path is None:
        raise UnavailableError(f"R is not installed here: {APT}.")
    try:
        said = subprocess.run(  # noqa: S603  no shell
            [path, "--no-init-file", "-e", _ASK],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise UnavailableError(f"R does not work here: {error}") from error
    version, *lines = said.splitlines()
    return Installed(version, dict(line.split("\t") for line in lines))


class RProcessPlace(ProcessPlace):
    """A `Place`: this host with its R.

    Raises:
        UnavailableError: R, its Jupyter kernel or its package is not installed.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        found = installed_r()
        if missing := found.missing:
            installed_r.cache_clear()
            ways = "; ".join(INSTALL[name] for name in missing)
            raise UnavailableError(f"R has no package {' and no '.join(missing)} here: {ways}.")
        self._found = found

    @property
    def environment(self) -> str:
        """Digest of Python's and R's packages."""
        return digest(
            {"python": environment_digest(), "r": [self._found.version, self._found.packages]}
        )

    @property
    def packages(self) -> str:
        """The same."""
        return self.environment
