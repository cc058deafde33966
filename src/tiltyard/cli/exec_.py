"""`tiltyard exec`: a local project in a container, as an IDE's remote execution."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tiltyard.cli.base import app
from tiltyard.cli.output import complain
from tiltyard.errors import InvalidInputError

if TYPE_CHECKING:
    from tiltyard.containers.attached import Ended
    from tiltyard.containers.local import Wish
    from tiltyard.containers.projects import Project
    from tiltyard.settings import Settings

BROKEN_PIPE = 141


class Reach(StrEnum):
    """What a container reaches of the network."""

    NONE = "none"
    OUTSIDE = "outside"


@app.command(
    "exec",
    # What follows the script is the script's.
    context_settings={"allow_interspersed_args": False},
)
def execute(
    path: Annotated[Path, typer.Argument(help="A script, or a project's folder.")],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(help="The script's arguments; for a folder: -- and the command."),
    ] = None,
    image: Annotated[str, typer.Option(help="Name of a recorded image.")] = "lab-python",
    project: Annotated[
        Path | None,
        typer.Option(help="Folder to mount for a script, instead of this one or the script's."),
    ] = None,
    environment: Annotated[
        list[str] | None,
        typer.Option("--env", "-e", help="NAME=value, or NAME to hand yours on; repeatable."),
    ] = None,
    network: Annotated[
        Reach, typer.Option(help="What it reaches: nothing, or what your computer reaches.")
    ] = Reach.NONE,
    memory: Annotated[
        int | None, typer.Option(help="Memory in MB; default: servers.memory_mb.", min=16)
    ] = None,
    cpus: Annotated[
        float | None, typer.Option(help="Processors' time; default: servers.cpus.", min=0.01)
    ] = None,
) -> None:
    """Run a local script or project in a new container of an image, with your own Docker.

    The project's folder is mounted where it is, to read and write; what it prints and its exit
    code are this command's. The container is removed at the end.

    Example: tiltyard exec --image lab-python train.py --epochs 3

    Example: tiltyard exec . -- python -m unittest
    """
    from tiltyard.containers.images import read_lock
    from tiltyard.containers.local import Wish, check_outside
    from tiltyard.containers.projects import project_of
    from tiltyard.settings import Limits, load_settings

    check_outside()
    settings = load_settings()
    found = project_of(path, arguments or [], project)
    variables = dict(map(_variable, environment or []))
    servers = settings.servers
    wish = Wish(
        image=read_lock(settings.images_lock).current(image),
        limits=Limits(
            memory_mb=memory or servers.memory_mb, cpus=cpus or servers.cpus, pids=servers.pids
        ),
        environment=variables,
        outside=network is Reach.OUTSIDE,
    )
    ended = _run(settings, found, wish)
    if ended.out_of_memory and ended.code:
        complain(
            f"It wanted more than {wish.limits.memory_mb} MB of memory and was killed: "
            "give it more by --memory."
        )
    elif ended.removed:
        complain("Its container was removed by somebody else.")
    raise typer.Exit(ended.code)


def _run(settings: "Settings", project: "Project", wish: "Wish") -> "Ended":
    from contextlib import closing

    from tiltyard.containers.engine import connect
    from tiltyard.containers.images import check_present
    from tiltyard.containers.local import run_project

    # The caller's own engine, whichever the platform's is.
    own = settings.model_copy(update={"docker": settings.docker.model_copy(update={"url": ""})})
    with closing(connect(own)) as client:
        check_present(client, wish.image)
        try:
            return run_project(client, own, project, wish, _print)
        except BrokenPipeError:
            # Who read this has heard enough; nothing more is to be flushed to them.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(BROKEN_PIPE) from None


def _print(stream: int, piece: bytes) -> None:
    from tiltyard.containers.attached import STDERR

    target = (sys.stderr if stream == STDERR else sys.stdout).buffer
    target.write(piece)
    target.flush()


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name:
        raise InvalidInputError(f"--env {text!r}: write NAME=value or NAME.")
    if equals:
        return name, value
    if name not in os.environ:
        raise InvalidInputError(f"--env {name}: it is not set here, write {name}=value.")
    return name, os.environ[name]
