"""`tiltyard images`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tiltyard.cli.base import group
from tiltyard.cli.output import complain, done, print_json, print_table, say
from tiltyard.cli.session import JsonOption

if TYPE_CHECKING:
    from tiltyard.containers.images import ImageSet

commands = group("images", "The images that people, runs and models live in.")

NamesArgument = Annotated[
    list[str] | None, typer.Argument(help="Such as lab-python; default: all.", show_default=False)
]


@commands.command()
def build(
    names: NamesArgument = None,
    base: Annotated[
        str | None, typer.Option(help="Image of Debian 13 to build on, instead of images.base.")
    ] = None,
    from_debian: Annotated[
        bool, typer.Option("--from-debian", help="Make that image by debootstrap; needs root.")
    ] = False,
    mirror: Annotated[str | None, typer.Option(help="URL of a mirror of Debian.")] = None,
    apt_sources: Annotated[
        Path | None, typer.Option(help="File with apt's sources, instead of the mirror alone.")
    ] = None,
    pip_config: Annotated[
        Path | None, typer.Option(help="pip's configuration, instead of the one it has here.")
    ] = None,
    ca: Annotated[
        Path | None, typer.Option(help="Certificates to trust; default: PIP_CERT, SSL_CERT_FILE.")
    ] = None,
    proxy: Annotated[
        str | None, typer.Option(help="URL of a proxy; default: HTTP_PROXY, HTTPS_PROXY.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Take nothing from earlier builds: Debian's updates.")
    ] = False,
) -> None:
    """Build images by BuildKit and record them as one set.

    Example: tiltyard images build --from-debian
    """
    from tiltyard.cli.home import make_home
    from tiltyard.containers.building import Origin, build_images
    from tiltyard.containers.inputs import gather
    from tiltyard.errors import InvalidInputError
    from tiltyard.settings import load_settings

    if base and from_debian:
        raise InvalidInputError("Give --base or --from-debian, not both.")
    settings = load_settings()
    inputs = gather(
        mirror=mirror, apt_sources=apt_sources, ca=ca, pip_config=pip_config, proxy=proxy
    )
    make_home(settings)
    lock = build_images(
        settings,
        names or [],
        origin=Origin(reference=base, debian=from_debian, fresh=fresh),
        inputs=inputs,
        tell=say,
    )
    for image in lock.sets[-1].images.values():
        done(f"{image.tag}, {image.size_bytes / 1e6:.0f} MB")
    say(f"Recorded in {settings.images_lock}.")


@commands.command("list")
def list_(json: JsonOption = False) -> None:
    """List the recorded images, newest set first.

    Example: tiltyard images list
    """
    from tiltyard.containers.images import read_lock
    from tiltyard.settings import load_settings

    lock = read_lock(load_settings().images_lock)
    if json:
        print_json(lock)
        return
    rows = (
        (
            i.name,
            i.id[7:19],
            i.size_bytes // 10**6,
            f"{s.built_at:%Y-%m-%d %H:%M}",
            _short(s),
            i.digest,
        )
        for s in reversed(lock.sets)
        for i in s.images.values()
    )
    headings = ("image", "id", "MB", "built at", "revision", "pushed as")
    print_table(headings, rows, "No image is recorded: build them by `tiltyard images build`.")


@commands.command()
def verify(json: JsonOption = False) -> None:
    """Say whether what is here is what is recorded; exits 1 when it is not.

    Example: tiltyard images verify
    """
    from tiltyard.containers.verifying import verify_images
    from tiltyard.settings import load_settings

    found = verify_images(load_settings())
    if json:
        print_json(found)
    else:
        for one in found.images:
            if one.mend:
                complain(f"{one.image.tag}: {one.state.value}: {one.mend}.")
        if found.mend:
            complain(found.mend)
        if found.ok:
            done(f"{len(found.images)} images are here as they are recorded.")
    if not found.ok:
        raise typer.Exit(1)


@commands.command()
def push(
    names: NamesArgument = None,
    registry: Annotated[
        str | None,
        typer.Option(help="What goes in front of the names: a host, perhaps with a path."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Push images of the newest set to a registry and record their digests.

    Example: tiltyard images push --registry registry.example.com/ml
    """
    from tiltyard.cli.output import errors
    from tiltyard.containers.pushing import push_images
    from tiltyard.settings import load_settings

    pushed = push_images(load_settings(), names or [], registry=registry, tell=errors.print)
    if json:
        print_json(pushed)
        return
    for image in pushed.values():
        done(f"{image.name}: {image.digest}")


@commands.command()
def prune(
    keep: Annotated[int, typer.Option(help="How many of the newest sets stay.", min=1)],
    json: JsonOption = False,
) -> None:
    """Forget older sets and remove their images; a version trained in one gets a newer scorer.

    Example: tiltyard images prune --keep 3
    """
    from tiltyard.containers.pruning import prune_images
    from tiltyard.settings import load_settings

    removed = prune_images(load_settings(), keep)
    if json:
        print_json(removed)
        return
    for image in removed:
        done(f"{image.tag} is removed.")
    if not removed:
        say("There is nothing to remove.")


def _short(one: "ImageSet") -> str:
    commit, plus, _ = one.revision.partition("+")
    return commit[:12] + plus
