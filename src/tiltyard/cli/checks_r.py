"""The doctor's check of R, without which only R's notebooks and models do not work."""

from collections.abc import Iterator

from tiltyard.cli.findings import Finding
from tiltyard.errors import TiltyardError
from tiltyard.settings import Settings


def check_r(settings: Settings) -> Iterator[Finding]:
    """Look for R: its kernel and package here, or its images."""
    from tiltyard.containers.images import read_lock
    from tiltyard.training.r_process import APT, INSTALL, installed_r

    if settings.runtime == "docker":
        try:
            lock = read_lock(settings.images_lock)
            found = [lock.current(name).name for name in ("lab-r", "scorer-r")]
        except TiltyardError as error:
            what = f"only Python's notebooks and models work: {error.message}"
            yield Finding("R", True, what, "tiltyard images build scorer-r lab-r")
        else:
            yield Finding("R", True, f"{' and '.join(found)} are recorded")
        return
    try:
        here = installed_r()
    except TiltyardError:
        yield Finding("R", True, "not installed: only Python's notebooks and models work", APT)
        return
    if here.missing:
        what = (
            f"{here.version}, without {' and '.join(here.missing)}: R's models work, not notebooks"
        )
        yield Finding("R", True, what, "; ".join(INSTALL[name] for name in here.missing))
    else:
        yield Finding("R", True, f"{here.version}, with its kernel and package")
