"""Debian as a base image without any registry: debootstrap, stripped before it is imported."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tiltyard.containers.engine import translated
from tiltyard.containers.inputs import SUITE, Inputs
from tiltyard.errors import TiltyardError, UnavailableError
from tiltyard.settings import Settings

if TYPE_CHECKING:
    from docker import DockerClient

STRIPPED = (
    *("usr/share/doc/*", "usr/share/man/*", "usr/share/info/*", "usr/share/locale/*"),
    *("usr/share/lintian/*", "usr/share/bash-completion/*"),
    *("var/cache/apt/*", "var/lib/apt/lists/*", "var/log/*", "var/cache/debconf/*-old"),
    *("var/lib/dpkg/*-old", "var/cache/ldconfig/*", "etc/*-", "etc/hostname", "etc/resolv.conf"),
)
SBIN = "/usr/sbin:/sbin"


def debian_image(
    client: "DockerClient",
    settings: Settings,
    inputs: Inputs,
    *,
    log: Path,
    fresh: bool,
    tell: Callable[[str], None],
) -> str:
    """Return the name of an image of Debian, made by debootstrap when it is not there.

    Args:
        client: of the engine that gets it.
        settings: of the images' name.
        inputs: the mirror, if it is not debootstrap's own, the CA and the proxy.
        log: file that takes what debootstrap says.
        fresh: make it anew though there is one.
        tell: is called with a line for each step.

    Raises:
        UnavailableError: debootstrap is not installed, or this is not root.
        TiltyardError: debootstrap failed, or the disk is full.
    """
    from docker.errors import ImageNotFound  # noqa: PLC0415  an extra

    name = f"{settings.images.name}/debian"
    with translated(settings):
        try:
            if not fresh and client.images.get(f"{name}:{SUITE}"):
                return f"{name}:{SUITE}"
        except ImageNotFound:
            pass
    program = shutil.which("debootstrap", path=f"{os.environ.get('PATH', '')}:{SBIN}")
    if program is None:
        raise UnavailableError(
            "--from-debian needs debootstrap: install it (on Debian and Ubuntu: `apt-get install "
            "debootstrap`), or build on an image of Debian 13 by --base."
        )
    if os.geteuid() != 0:
        raise UnavailableError(
            "--from-debian has to be run by root, as debootstrap makes device files: use sudo, or "
            "build on an image of Debian 13 by --base."
        )
    with TemporaryDirectory(prefix="tiltyard-debian-", ignore_cleanup_errors=True) as folder:
        root = Path(folder, "root")
        tell(f"debian: debootstrap of {SUITE}")
        _debootstrap(program, root, inputs, log)
        _strip(root, keep_sources=inputs.mirror is None)
        tell("debian: import into the engine")
        _import(client, settings, root, name)
    return f"{name}:{SUITE}"


def _debootstrap(program: str, root: Path, inputs: Inputs, log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    environ = {**os.environ, **inputs.proxies, "PATH": f"{os.environ.get('PATH', '')}:{SBIN}"}
    if inputs.ca is not None:
        settings = root.with_name("wgetrc")
        settings.write_text(f"ca_certificate = {inputs.ca}\n")
        environ["WGETRC"] = str(settings)
    command = [program, "--variant=minbase", SUITE, str(root)]
    if inputs.mirror is not None:
        command.append(inputs.mirror)
    with log.open("w") as file:
        ended = subprocess.run(  # noqa: S603  no shell
            command, env=environ, stdout=file, stderr=subprocess.STDOUT, check=False
        )
    if ended.returncode != 0:
        _unmount(root)
        said = log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
        raise TiltyardError(
            f"debootstrap failed ({said[-1]}); its log is {log}. It needs a mirror of Debian: give "
            "yours by --mirror, or a way out by --proxy."
        )


def _strip(root: Path, *, keep_sources: bool) -> None:
    for pattern in STRIPPED:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    if not keep_sources:
        (root / "etc/apt/sources.list").write_text("")


def _import(client: "DockerClient", settings: Settings, root: Path, name: str) -> None:
    command = ["tar", "-C", str(root), "--numeric-owner", "-c", "."]
    with (
        translated(settings),
        subprocess.Popen(command, stdout=subprocess.PIPE) as tar,  # noqa: S603  no shell
    ):
        api: Any = client.api
        api.import_image_from_stream(tar.stdout, repository=name, tag=SUITE)
    if tar.returncode != 0:
        raise TiltyardError(f"{root} cannot be read whole: tar ended with {tar.returncode}.")


def _unmount(root: Path) -> None:
    """Free what a failed debootstrap leaves mounted, before its folder is removed."""
    for place in ("proc", "sys"):
        if (root / place).is_mount():
            subprocess.run(["umount", "-l", str(root / place)], check=False)  # noqa: S603, S607
