"""Whether what is at the real engine is what is recorded, by the command."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from support.small_images import SmallImages
from tiltyard.cli.app import app
from tiltyard.containers.images import write_lock

pytestmark = pytest.mark.slow
RUNNER = CliRunner()


@pytest.fixture
def small(small_images: SmallImages, monkeypatch: pytest.MonkeyPatch) -> SmallImages:
    """Return images that are built and recorded; commands find them."""
    settings = small_images.settings
    monkeypatch.setenv("TILTYARD_HOME", str(settings.home))
    monkeypatch.setenv("TILTYARD_IMAGES__PATH", str(settings.images.path))
    monkeypatch.setenv("TILTYARD_IMAGES__NAME", settings.images.name)
    monkeypatch.setenv("TILTYARD_IMAGES__BASE", settings.images.base)
    monkeypatch.setenv("COLUMNS", "200")
    result = RUNNER.invoke(app, ["images", "build"])
    assert result.exit_code == 0, result.output
    assert f"✓ {small_images.name}/lab-python:" in result.output
    assert f"Recorded in {settings.images_lock}." in result.output
    return small_images


def verify() -> tuple[Result, dict[str, Any]]:
    """Return what the command says, and the same as JSON."""
    said, told = (RUNNER.invoke(app, ["images", "verify", *more]) for more in ([], ["--json"]))
    assert said.exit_code == told.exit_code
    return said, json.loads(told.stdout)


def states(told: dict[str, Any]) -> dict[str, str]:
    """Return the state of each image."""
    return {one["image"]["name"]: one["state"] for one in told["images"]}


def test_all_is_well(small: SmallImages) -> None:
    """After a build."""
    said, told = verify()
    assert said.exit_code == 0
    assert "3 images are here as they are recorded" in said.output
    assert set(states(told).values()) == {"present"}
    assert told["ok"]
    assert told["locks"]
    listed = RUNNER.invoke(app, ["images", "list"])
    for image in small.lock().every():
        assert image.id[7:19] in listed.output
    assert json.loads(RUNNER.invoke(app, ["images", "list", "--json"]).stdout)["sets"]


def test_a_missing_image_is_named(small: SmallImages) -> None:
    """With the ways to get it back."""
    lab = small.lock().current("lab-python")
    small.client.images.remove(lab.tag)
    said, told = verify()
    assert said.exit_code == 1
    assert f"{lab.tag}: missing: get it by `docker load`" in said.output
    assert states(told) == {
        "base": "present",
        "scorer-python": "present",
        "lab-python": "missing",
    }
    assert RUNNER.invoke(app, ["images", "build", "lab-python"]).exit_code == 0
    assert verify()[0].exit_code == 0


def test_a_changed_image_is_found(small: SmallImages) -> None:
    """Its name is the recorded one, its id another."""
    lab, scorer = (small.lock().current(name) for name in ("lab-python", "scorer-python"))
    repository, _, tag = lab.tag.rpartition(":")
    small.client.images.get(scorer.id).tag(repository, tag)
    said, told = verify()
    assert said.exit_code == 1
    assert f"{lab.tag}: tag moved: " in said.output
    assert f"docker tag {lab.id} {lab.tag}" in said.output
    assert states(told)["lab-python"] == "tag moved"
    assert states(told)["scorer-python"] == "present"


def test_an_image_without_its_name_is_found(small: SmallImages) -> None:
    """The engine's clean-ups would remove it."""
    lab = small.lock().current("lab-python")
    small.client.images.get(lab.id).tag(f"{small.name}/other", "1")
    small.client.images.remove(lab.tag)
    said, told = verify()
    assert said.exit_code == 1
    assert states(told)["lab-python"] == "tag missing"
    assert f"docker tag {lab.id} {lab.tag}" in said.output


def test_another_list_of_packages_is_found(small: SmallImages) -> None:
    """The record says what was inside."""
    lock = small.lock()
    changed = {
        name: image.model_copy(update={"packages": "0" * 64}) if name == "base" else image
        for name, image in lock.sets[0].images.items()
    }
    one = lock.sets[0].model_copy(update={"images": changed})
    write_lock(small.settings.images_lock, lock.model_copy(update={"sets": (one,)}))
    said, told = verify()
    assert said.exit_code == 1
    assert states(told)["base"] == "package list differs"


def test_other_lock_files_are_found(small: SmallImages, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the project is; elsewhere they cannot be compared."""
    small.write("lab-python", "requirements.lock", "two\n")
    said, told = verify()
    assert said.exit_code == 1
    assert "The lock files have changed since" in said.output
    assert told["locks"] is False
    monkeypatch.setenv("TILTYARD_IMAGES__PATH", str(small.folder / "base"))
    said, told = verify()
    assert said.exit_code == 0
    assert told["locks"] is None


def test_an_empty_record_is_not_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how to fill it."""
    monkeypatch.setenv("TILTYARD_IMAGES__LOCK", str(tmp_path / "absent.lock"))
    said, told = verify()
    assert said.exit_code == 1
    assert "tiltyard images build" in said.output
    assert told["images"] == []
    assert "No image is recorded" in RUNNER.invoke(app, ["images", "list"]).output


def test_what_cannot_be_built_ends_with_a_sentence(
    small: SmallImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On stderr, with an exit code; nothing is recorded."""
    before = small.lock()
    for words, code, sentence in (
        (["lab-julia"], 3, "no image 'lab-julia'"),
        (["--base", "x", "--from-debian"], 2, "not both"),
        (["--ca", "/absent.pem"], 2, "--ca names /absent.pem"),
        (["--base", "127.0.0.1:9/absent:1"], 3, "cannot be pulled"),
    ):
        result = RUNNER.invoke(app, ["images", "build", *words])
        assert result.exit_code == code, result.output
        assert sentence in result.stderr
    monkeypatch.setenv("TILTYARD_IMAGES__PATH", str(small.folder / "absent"))
    result = RUNNER.invoke(app, ["images", "build"])
    assert result.exit_code == 2
    assert "images.path" in result.stderr
    assert small.lock() == before
