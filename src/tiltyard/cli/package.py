"""`tiltyard package`: a version as one image."""

import json
import shlex
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tiltyard.cli.base import app
from tiltyard.cli.output import done, say
from tiltyard.cli.session import ModelArgument, VersionArgument, control
from tiltyard.errors import ConflictError

if TYPE_CHECKING:
    from tiltyard.containers.images import ImagesLock, RecordedImage
    from tiltyard.packaging.fetching import Fetched
    from tiltyard.settings import Settings


@app.command()
def package(
    model: ModelArgument,
    version: VersionArgument,
    tag: Annotated[
        str | None, typer.Option(help="Name of the image, e.g. registry.example.com/bikes:3.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Also write the image to this file, for `docker load`.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Take the name from an image.")] = False,
) -> None:
    """Export a version with its scorer as one image that answers HTTP without Tiltyard.

    Example: tiltyard package bikeshare 3 --output bikeshare-3.tar
    """
    from tiltyard.containers.engine import connect
    from tiltyard.containers.images import read_lock
    from tiltyard.packaging.example import example_row
    from tiltyard.packaging.fetching import fetch_version
    from tiltyard.packaging.image import BUILD_S, Packager
    from tiltyard.settings import Limits, load_settings

    settings = load_settings()
    name = tag or f"{settings.images.name}/model-{model}:{version}"
    lock = read_lock(settings.images_lock)
    with closing(connect(settings, BUILD_S)) as engine:
        packager = Packager(settings, engine)
        _check_free(packager.has(name), name, output, force=force)
        with tempfile.TemporaryDirectory(prefix="tiltyard-") as scratch, control() as client:
            fetched = fetch_version(client, model, version, Path(scratch))
            manifest = fetched.version.manifest
            base = lock.scorer_for(manifest.provenance.image, manifest.language)
            labels, limits = _labels(fetched, lock, base), Limits(memory_mb=_memory(settings))
            packager.package(base, fetched.folder, fetched.route, labels, name, limits)
            row = example_row(fetched.folder, manifest.signature, fetched.route.call_schema)
        if output is not None:
            packager.save(name, output)
    done(f"{model} version {version} is image {name}; it repeats the golden rows.")
    _say_how(settings, name, output, model, json.dumps({"rows": [row]}, ensure_ascii=False))


def _memory(settings: "Settings") -> int:
    """Return what the largest scorers may use, in MB: here the size class is not known yet."""
    return settings.sizes.large.memory_mb


def _check_free(taken: bool, name: str, output: Path | None, *, force: bool) -> None:
    if taken and not force:
        raise ConflictError(f"There is an image {name} already: give another --tag, or --force.")
    if output is not None and output.exists():
        raise ConflictError(f"{output} exists already: name another file.")


def _labels(fetched: "Fetched", lock: "ImagesLock", base: "RecordedImage") -> dict[str, str]:
    sets = [one for one in lock.sets if base in one.images.values()]
    return {
        "tiltyard.model": fetched.version.model,
        "tiltyard.version": str(fetched.version.version),
        "tiltyard.digest": fetched.version.digest,
        "tiltyard.scorer": base.id,
        "org.opencontainers.image.title": f"{fetched.version.model} {fetched.version.version}",
        "org.opencontainers.image.revision": sets[-1].revision,
    }


def _say_how(settings: "Settings", name: str, output: Path | None, model: str, body: str) -> None:
    memory = settings.sizes.small.memory_mb
    if output is not None:
        say(f"Elsewhere: docker load --input {shlex.quote(str(output))}")
    say(
        "Run it: docker run --publish 8080:8080 --read-only --tmpfs /tmp --cap-drop ALL "
        f"--security-opt no-new-privileges --memory {memory}m --env TILTYARD_TOKEN=… {name}"
    )
    say(
        f"Call it: curl --header 'Authorization: Bearer …' --json {shlex.quote(body)} "
        f"http://localhost:8080/models/{model}/predict"
    )
