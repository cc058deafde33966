"""Finds a Docker client that has BuildKit, and follows one build with it."""

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tiltyard.containers.progress import BuildFailedError, Steps
from tiltyard.errors import UnavailableError
from tiltyard.settings import Settings

PLACES = ("/usr/bin", "/usr/local/bin")
_ASK_S = 30.0


@dataclass(frozen=True)
class Builder:
    """A Docker client that builds by BuildKit.

    Attributes:
        command: what a build's arguments follow.
        environ: variables that it needs.
    """

    command: tuple[str, ...]
    environ: Mapping[str, str]


def find_builder(settings: Settings, path: str | None = None) -> Builder:
    """Return the first Docker client with BuildKit on the PATH or where clients are installed.

    Raises:
        UnavailableError: there is none.
    """
    environ = {
        "DOCKER_BUILDKIT": "1",
        "DOCKER_CONTEXT": "default",  # the engine that Docker's library asks, too
        "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",  # they would give each build another id
    }
    if settings.docker.url:
        environ["DOCKER_HOST"] = settings.docker.url
    searched = os.environ.get("PATH", "") if path is None else path
    folders = dict.fromkeys([*filter(None, searched.split(os.pathsep)), *PLACES])
    for client in (str(Path(folder, "docker")) for folder in folders):
        if not os.access(client, os.X_OK):
            continue
        if _ask(client, environ, "buildx", "version") is not None:
            # Another builder than the engine's own would not see the engine's images.
            return Builder((client, "buildx", "build", "--builder=default", "--load"), environ)
        options = _ask(client, environ, "build", "--help")
        if options and "--secret" in options and "buildx component" not in options:
            return Builder((client, "build"), environ)
    raise UnavailableError(
        "No Docker client here has BuildKit: install Docker's buildx (on Debian: `apt-get install "
        "docker.io`, or `docker-buildx-plugin` of Docker's own packages)."
    )


def build(
    builder: Builder,
    arguments: Sequence[str],
    *,
    name: str,
    environ: Mapping[str, str],
    log: Path,
    tell: Callable[[str], None],
) -> str:
    """Build one image; return its id.

    Args:
        builder: what builds.
        arguments: of the build.
        name: of the image.
        environ: variables beside the builder's.
        log: file that takes all that the build says.
        tell: is called with a line for each step.

    Raises:
        BuildFailedError: a step failed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="tiltyard-build-") as folder:
        ids = Path(folder, "id")
        command = [*builder.command, "--progress=plain", f"--iidfile={ids}", *arguments]
        steps = Steps(lambda step: tell(f"{name}: {step}"))
        with (
            log.open("w") as file,
            subprocess.Popen(  # noqa: S603  no shell
                command,
                env={**os.environ, **environ, **builder.environ},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            ) as process,
        ):
            assert process.stdout is not None  # noqa: S101  for the type checker
            for line in process.stdout:
                file.write(line)
                steps.read(line.rstrip("\n"))
        if process.returncode != 0 or not ids.exists():
            raise BuildFailedError(name, steps.why(), log)
        return ids.read_text().strip()


def _ask(client: str, environ: Mapping[str, str], *words: str) -> str | None:
    try:
        said = subprocess.run(  # noqa: S603  no shell
            [client, *words],
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            timeout=_ASK_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return said.stdout + said.stderr if said.returncode == 0 else None
