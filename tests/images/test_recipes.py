"""What images are built from, and by which client."""

import subprocess
from pathlib import Path

import pytest

from tiltyard import __version__
from tiltyard.containers import buildkit
from tiltyard.containers.buildkit import find_builder
from tiltyard.containers.recipes import Recipes
from tiltyard.errors import InvalidInputError, NotFoundError, UnavailableError
from tiltyard.settings import load_settings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project with four images."""
    for name in ("lab-python", "scorer-python", "lab-r", "base"):
        folder = tmp_path / "spawner_images" / name
        folder.mkdir(parents=True)
        (folder / "Dockerfile").write_text("FROM scratch\n")
        (folder / "requirements.lock").write_text(f"{name}\n")
    (tmp_path / "README.md").write_text("read me\n")
    return tmp_path


def git(project: Path, *words: str) -> str:
    """Run git there."""
    own = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    said = subprocess.run(
        ["git", "-C", project, *own, *words], capture_output=True, text=True, check=True
    )
    return said.stdout.strip()


def test_images_are_built_in_order(project: Path) -> None:
    """The base first, and scorers before what shares their packages."""
    recipes = Recipes(project / "spawner_images")
    assert recipes.ordered([]) == ("base", "scorer-python", "lab-python", "lab-r")
    assert recipes.ordered(["lab-r", "base"]) == ("base", "lab-r")
    with pytest.raises(NotFoundError, match=r"no image 'lab-julia'.*lab-python"):
        recipes.ordered(["lab-julia"])


def test_any_lock_file_changes_the_resolution(project: Path) -> None:
    """Nothing else does."""
    recipes = Recipes(project / "spawner_images")
    before = recipes.resolution()
    (project / "spawner_images/base/Dockerfile").write_text("FROM scratch\n# other\n")
    assert recipes.resolution() == before
    (project / "spawner_images/lab-r/requirements.lock").write_text("other\n")
    assert recipes.resolution() != before


def test_the_platforms_image_is_built_only_when_named(project: Path) -> None:
    """Its packages have to fit with nobody's."""
    recipes = Recipes(project / "spawner_images")
    before, images = recipes.resolution(), recipes.ordered([])
    folder = project / "spawner_images/platform"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\n")
    (folder / "requirements.lock").write_text("other\n")
    assert recipes.ordered([]) == images
    assert recipes.ordered(["platform"]) == ("platform",)
    assert recipes.resolution() == before


def test_the_revision_is_of_what_goes_into_images(project: Path) -> None:
    """A commit elsewhere leaves it; files that are not committed show."""
    recipes = Recipes(project / "spawner_images")
    assert recipes.revision() == __version__
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "commit", "-qm", "one")
    first = git(project, "rev-parse", "HEAD")
    (project / "docs.md").write_text("docs\n")
    git(project, "add", ".")
    git(project, "commit", "-qm", "two")
    assert recipes.revision() == first
    (project / "README.md").write_text("other\n")
    assert recipes.revision() == f"{first}+changes"


def test_another_folder_is_told_from_the_images(tmp_path: Path) -> None:
    """The sentence names the setting."""
    with pytest.raises(InvalidInputError, match=r"images\.path"):
        Recipes(tmp_path)


def test_no_address_is_in_a_file_of_the_images() -> None:
    """Mirrors and indexes are inputs of the build."""
    for path in (ROOT / "spawner_images").rglob("*"):
        if path.is_file() and path.suffix != ".md":
            assert "://" not in path.read_text(), path


def client(folder: Path, script: str) -> Path:
    """Put a Docker client there."""
    folder.mkdir()
    (folder / "docker").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "docker").chmod(0o755)
    return folder


def test_a_client_without_buildkit_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one on the PATH that has it builds."""
    monkeypatch.setattr(buildkit, "PLACES", ())
    bare = client(
        tmp_path / "bare",
        '[ "$1" = buildx ] && exit 1; echo --secret; echo "the buildx component is missing" >&2',
    )
    with pytest.raises(UnavailableError, match="buildx"):
        find_builder(load_settings(), path=f"{bare}:{tmp_path / 'absent'}")
    old = client(tmp_path / "old", '[ "$1" = buildx ] && exit 1; echo "  --secret stringArray"')
    found = find_builder(load_settings(), path=f"{bare}:{old}")
    assert found.command == (f"{old}/docker", "build")
    new = client(tmp_path / "new", "exit 0")
    found = find_builder(load_settings(docker={"url": "tcp://there:1"}), path=f"{bare}:{new}:{old}")
    assert found.command[:3] == (f"{new}/docker", "buildx", "build")
    assert found.environ["DOCKER_HOST"] == "tcp://there:1"
