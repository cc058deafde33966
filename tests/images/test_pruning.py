"""Removing older sets at the real engine."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from support.small_images import NEXT, SmallImages
from tiltyard.cli.app import app

pytestmark = pytest.mark.slow
RUNNER = CliRunner()


def prune(small: SmallImages, monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    """Run the command; return what it says."""
    monkeypatch.setenv("TILTYARD_IMAGES__LOCK", str(small.settings.images_lock))
    monkeypatch.setenv("COLUMNS", "200")
    result = RUNNER.invoke(app, ["images", "prune", *words])
    assert result.exit_code == 0, result.output
    return result.output


def test_older_sets_go_unless_a_container_is_left(
    small_images: SmallImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a newer set holds, too, stays."""
    for number in range(3):
        small_images.write("lab-python", "Dockerfile", NEXT.replace("one", str(number)))
        small_images.build()
    first, second, third = small_images.lock().sets
    container = small_images.client.containers.create(first.images["lab-python"].id, ["true"])
    try:
        said = prune(small_images, monkeypatch, "--keep", "1")
    finally:
        container.remove()
    assert small_images.lock().sets == (first, third)
    assert said.split() == ["✓", second.images["lab-python"].tag, "is", "removed."]
    assert second.images["lab-python"].tag not in small_images.tags()
    assert first.images["base"].tag in small_images.tags()

    prune(small_images, monkeypatch, "--keep", "1")
    assert small_images.lock().sets == (third,)
    assert {image.tag for image in third.images.values()} == set(small_images.tags())
    assert "nothing to remove" in prune(small_images, monkeypatch, "--keep", "1")
    assert prune(small_images, monkeypatch, "--keep", "1", "--json") == "[]\n"


def test_without_an_engine_nothing_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record is of what is there."""
    monkeypatch.setenv("TILTYARD_DOCKER__URL", "tcp://127.0.0.1:9")
    monkeypatch.setenv("TILTYARD_IMAGES__LOCK", str(tmp_path / "images.lock"))
    for command in (["prune", "--keep", "1"], ["verify"]):
        result = RUNNER.invoke(app, ["images", *command])
        assert result.exit_code == 3
        assert "does not answer: start it" in result.stderr
