"""Where npm gets packages here, for builds that need them: its registry and who asks it."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

REGISTRY = "NPM_CONFIG_REGISTRY"
USER_FILE = "NPM_CONFIG_USERCONFIG"
_TIMEOUT_S = 20.0


def npm_lines(environ: Mapping[str, str]) -> str:
    """Return the lines of npm's configuration that count inside a build, too; maybe none.

    These are the registry that the environment names, or npm's own here, and what belongs to
    registries in the user's file: paths of this machine are not there.
    """
    given = {name.upper(): value for name, value in environ.items()}
    registry = given.get(REGISTRY) or _asked(environ)
    lines = [line for line in _users_lines(given) if line.startswith(("//", "@"))]
    if registry:
        lines.append(f"registry={registry}")
    return "".join(f"{line}\n" for line in lines)


def _users_lines(environ: Mapping[str, str]) -> list[str]:
    path = environ.get(USER_FILE) or Path(environ.get("HOME", "/nonexistent"), ".npmrc")
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []


def _asked(environ: Mapping[str, str]) -> str:
    """Ask the npm that is here, which also knows the files of its installation."""
    npm = shutil.which("npm", path=environ.get("PATH", ""))
    if npm is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603  the machine's npm
            (npm, "config", "get", "registry"),
            env=dict(environ),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    said = done.stdout.strip()
    return said if done.returncode == 0 and "://" in said else ""
