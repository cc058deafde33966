"""`tiltyard package`: what it makes, what it says, what it refuses."""

import io
import json
import os
import shlex
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from docker import DockerClient
from docker.models.networks import Network

from support import typed
from support.packaged import Exported, Site, start
from tiltyard.errors import UnavailableError
from tiltyard.packaging.image import Packager
from tiltyard.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What is undone at the end of a test."""
    with ExitStack() as stack:
        yield stack


def test_it_says_how_to_run_and_call_the_image(
    exported: Exported, site: Site, printed: str
) -> None:
    """The printed call works as it stands, but for address and token."""
    run, call = printed.splitlines()[1:3]
    assert f"{typed.MODEL} version 1 is image {site.tag}" in printed
    assert run.startswith("Run it: docker run --publish 8080:8080 ")
    assert run.endswith(site.tag)
    words = shlex.split(call.removeprefix("Call it: "))
    body, url = words[words.index("--json") + 1], words[-1]
    asked = url.replace("http://localhost:8080", exported.url)
    headers = {"authorization": "Bearer application-token", "content-type": "application/json"}
    answer = httpx.post(asked, content=body.encode(), headers=headers, timeout=20)
    assert answer.status_code == 200, answer.text


def test_the_image_says_what_it_is(engine: DockerClient, site: Site, printed: str) -> None:
    """Labels name model, version, digest and revision; its user is nobody; no home claims it."""
    config = engine.images.get(site.tag).attrs["Config"]
    marks = config["Labels"]
    assert marks["tiltyard.model"] == typed.MODEL
    assert marks["tiltyard.version"] == "1"
    assert len(marks["tiltyard.digest"]) == 64
    assert marks["tiltyard.scorer"].startswith("sha256:")
    assert marks["org.opencontainers.image.revision"]
    assert "tiltyard.home" not in marks
    assert config["User"].partition(":")[0] not in {"", "0", "root"}


def test_what_was_saved_can_be_loaded(
    engine: DockerClient,
    site: Site,
    network: Network,
    stack: ExitStack,
    tmp_path: Path,
) -> None:
    """The file alone brings the image to an engine, where it answers."""
    tag, file = f"{site.tag}-saved", tmp_path / "image.tar"
    printed = site.package("--tag", tag, "--output", str(file)).stdout
    assert f"docker load --input {file}" in printed
    made = engine.images.get(tag).id
    engine.images.remove(tag)
    subprocess.run(["docker", "load", "--quiet", "--input", str(file)], check=True)
    assert engine.images.get(tag).id == made
    start(stack, engine, network, tag).wait()


def test_what_is_there_already_stays(site: Site, printed: str, tmp_path: Path) -> None:
    """Neither an image nor a file is replaced, unless `--force` takes the image's name."""
    refused = site.package("--tag", site.tag, exits=3).stderr
    assert "already: give another --tag, or --force" in refused
    file = tmp_path / "mine.tar"
    file.write_text("mine")
    refused = site.package("--tag", f"{site.tag}-b", "--output", str(file), exits=3).stderr
    assert "exists already: name another file" in refused
    assert file.read_text() == "mine"
    assert "is image" in site.package("--tag", site.tag, "--force").stdout


REFUSED: dict[str, tuple[tuple[str, ...], dict[str, str], int, str]] = {
    "no such model": (("none", "1"), {}, 3, "There is no model 'none'"),
    "no such version": ((typed.MODEL, "9"), {}, 3, "no version"),
    "no name of an image": ((typed.MODEL, "1", "--tag", "A b"), {}, 2, "cannot name an image"),
    "no record": (
        (typed.MODEL, "1"),
        {"TILTYARD_IMAGES__LOCK": "/nonexistent/images.lock"},
        3,
        "tiltyard images build",
    ),
    "no control": (
        (typed.MODEL, "1"),
        {"TILTYARD_CLIENT__URL": "http://127.0.0.1:9"},
        5,
        "Control at http://127.0.0.1:9 does not answer",
    ),
    "a version that does not repeat its golden rows": (
        ("broken", "1"),
        {},
        3,
        "The image does not serve this version (exit code 3)",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_refuses(name: str, site: Site, engine: DockerClient) -> None:
    """It ends with a sentence, and leaves neither image nor container."""
    words, environment, code, said = REFUSED[name]
    left = _everything(engine)
    tag = ("--tag", f"{site.tag}-refused") if "--tag" not in words else ()
    told = site.cli("package", *words, *tag, exits=code, **environment).stderr
    assert said in told
    assert _everything(engine) == left


def test_an_engine_that_is_away_is_told(site: Site) -> None:
    """Docker's library leaves a socket then, so the command runs in a process of its own."""
    environment = site.environment | {"TILTYARD_DOCKER__URL": "unix:///nonexistent/docker.sock"}
    done = subprocess.run(
        [sys.executable, "-m", "tiltyard.cli", "package", typed.MODEL, "1"],
        env=os.environ | environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 3
    assert "The Docker Engine at unix:///nonexistent/docker.sock does not answer" in done.stderr


def test_an_image_that_is_away_is_told(site: Site, images_lock: Path, tmp_path: Path) -> None:
    """A scorer that is recorded but not here is not replaced by another one."""
    lock: Any = json.loads(images_lock.read_text())
    for one in lock["sets"]:
        one["images"]["scorer-python"]["id"] = "sha256:" + "0" * 64
    other = tmp_path / "images.lock"
    other.write_text(json.dumps(lock))
    tag = f"{site.tag}-away"
    told = site.package("--tag", tag, exits=3, TILTYARD_IMAGES__LOCK=str(other)).stderr
    assert "recorded but not at this Docker Engine" in told


def test_a_full_disk_is_told(site: Site, engine: DockerClient, tmp_path: Path) -> None:
    """No half file is left, and the sentence says where the image is."""
    tag = f"{site.tag}-full"
    repository, _, version = tag.partition(":")
    engine.api.import_image_from_data(_tar(8_000_000), repository, version)
    packager = Packager(Settings(), engine)
    with _disk(tmp_path / "disk", "4m") as disk:
        with pytest.raises(UnavailableError, match="No space left on device") as caught:
            packager.save(tag, disk / "image.tar")
        assert f"at the engine as {tag}" in caught.value.message
        assert not (disk / "image.tar").exists()


def _tar(size: int) -> bytes:
    """Return a root file system of one file."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        member = tarfile.TarInfo("file")
        member.size = size
        tar.addfile(member, io.BytesIO(bytes(size)))
    return target.getvalue()


@contextmanager
def _disk(folder: Path, size: str) -> Iterator[Path]:
    """Make a folder a small disk of its own, which needs root."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _everything(engine: DockerClient) -> tuple[set[str], set[str]]:
    """Return what is tagged for this test's model, and containers of packages."""
    images = {tag for image in engine.images.list() for tag in image.tags if "typed" in tag}
    names = {c.name for c in engine.containers.list(all=True) if "-package-" in str(c.name)}
    return images, names
