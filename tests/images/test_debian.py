"""A base image from Debian itself, where something is missing."""

import os
from pathlib import Path
from typing import Any, cast

import docker
import pytest

from tiltyard.containers import debian
from tiltyard.containers.debian import debian_image
from tiltyard.containers.inputs import Inputs
from tiltyard.errors import TiltyardError, UnavailableError
from tiltyard.settings import Settings, load_settings

SETTINGS: Settings = load_settings(images={"name": "tiltyard-test-debian"})


def make(log: Path, inputs: Inputs | None = None, client: Any = None) -> str:
    """Make an image of Debian anew."""
    return debian_image(
        cast("docker.DockerClient", client),
        SETTINGS,
        inputs or Inputs(),
        log=log,
        fresh=True,
        tell=lambda _: None,
    )


def test_without_debootstrap_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or what else to build on."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(debian, "SBIN", str(tmp_path))
    with pytest.raises(UnavailableError, match=r"apt-get install debootstrap.*--base"):
        make(tmp_path / "log")


def test_without_root_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Debootstrap would fail half-way."""
    program = tmp_path / "debootstrap"
    program.write_text("#!/bin/sh\nexit 9\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(UnavailableError, match=r"by root.*--base"):
        make(tmp_path / "log")


@pytest.mark.slow
def test_a_mirror_that_is_away_is_told(tmp_path: Path) -> None:
    """With debootstrap's last line, its log and what to give."""
    with pytest.raises(TiltyardError, match=r"debootstrap failed \(E: .*--mirror") as failed:
        make(tmp_path / "log", Inputs(mirror="http://127.0.0.1:9/debian"))
    assert str(tmp_path / "log") in failed.value.message
    assert "127.0.0.1:9" in (tmp_path / "log").read_text()


@pytest.mark.slow
def test_what_is_imported_is_stripped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No documents, no caches, no address of the mirror."""
    program = tmp_path / "debootstrap"
    program.write_text(f"#!/bin/sh\nset -e\nroot=$3\nmirror=$4\n{TREE}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    client = docker.from_env()
    try:
        inputs = Inputs(mirror="http://mirror.example/debian")
        name = make(tmp_path / "log", inputs, client)
        assert name == "tiltyard-test-debian/debian:trixie"
        container = client.api.create_container(name, command=["none"])["Id"]
        chunks, _ = client.api.get_archive(container, "/")
        client.api.remove_container(container)
        archive = b"".join(chunks)
        assert b"kept by debian" in archive
        assert b"never read" not in archive
        assert b"mirror.example" not in archive
    finally:
        client.images.remove("tiltyard-test-debian/debian:trixie", force=True)
        client.close()


TREE = """
for file in usr/share/doc/x/changelog usr/share/man/man1/x.1 usr/share/locale/de/x.mo \\
  var/cache/apt/archives/x.deb var/lib/apt/lists/x var/log/x.log; do
  mkdir -p "$root/$(dirname $file)"
  echo never read >"$root/$file"
done
mkdir -p "$root/etc/apt" "$root/usr/bin"
echo "deb $mirror trixie main" >"$root/etc/apt/sources.list"
echo kept by debian >"$root/usr/bin/x"
"""
