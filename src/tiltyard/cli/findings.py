"""What `tiltyard doctor` looks at, in the order in which things build upon each other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tiltyard.errors import TiltyardError
from tiltyard.settings import Settings, config_file, load_settings


@dataclass(frozen=True)
class Finding:
    """Outcome of one check.

    Attributes:
        what: there is, or what is wrong.
        mend: the command or setting that mends it; empty if nothing is wrong.
    """

    check: str
    ok: bool
    what: str
    mend: str = ""


Check = Callable[[Settings], Iterator[Finding]]


def examine() -> list[Finding]:
    """Return the findings of all checks; without settings that can be read there is only one."""
    from tiltyard.cli.checks import CHECKS

    try:
        settings = load_settings()
    except TiltyardError as error:
        return [Finding("settings", False, error.message, f"edit {config_file()}")]
    found = [Finding("settings", True, f"read from {config_file()} and the environment")]
    for check in CHECKS:
        found += check(settings)
    return found
