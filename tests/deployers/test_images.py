"""Deployments whose image is not what it should be."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import yard
from support.control import make_home
from support.runtimes import DockerRuntime
from support.sites import Site, open_site, score
from tiltyard.containers.images import ImagesLock, read_lock, write_lock
from tiltyard.errors import NotFoundError
from tiltyard.types.registry import DeploymentState

pytestmark = pytest.mark.slow

ELSEWHERE = f"sha256:{'0' * 64}"


@pytest.fixture
def site(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, images_lock: Path
) -> Iterator[Site]:
    """Return a site with one version and a record of images of its own."""
    folder = yard.Versions(tmp_path_factory.mktemp("versions")).folder(1)
    own = tmp_path / "images.lock"
    shutil.copyfile(images_lock, own)
    settings = make_home(tmp_path / "home", runtime="docker", images={"lock": str(own)})
    with open_site(settings, folder) as site:
        yield site


def lose(path: Path) -> ImagesLock:
    """Let a record name images that this engine does not have; return what it said before."""
    before = read_lock(path)
    sets = [
        one.model_copy(
            update={
                "images": {
                    name: image.model_copy(update={"id": ELSEWHERE})
                    for name, image in one.images.items()
                }
            }
        )
        for one in before.sets
    ]
    write_lock(path, before.model_copy(update={"sets": tuple(sets)}))
    return before


def test_an_image_that_is_not_there_is_told_at_once(site: Site) -> None:
    """Nothing is recorded of the deployment; the sentence says how to get the image."""
    lose(site.settings.images_lock)
    with pytest.raises(NotFoundError, match="tiltyard images build"):
        site.deploy()
    assert site.control.client().deployments(yard.MODEL) == []


def test_nothing_recorded_is_told_at_once(site: Site) -> None:
    """The same without any record."""
    site.settings.images_lock.unlink()
    with pytest.raises(NotFoundError, match="tiltyard images build"):
        site.deploy()


def test_what_was_healthy_is_tried_until_its_image_is_back(site: Site) -> None:
    """A champion's container and image vanish: it is told, and answers when the image is back."""
    deployment = site.deploy()
    site.until(deployment, DeploymentState.HEALTHY)
    before = lose(site.settings.images_lock)
    assert isinstance(site.runtime, DockerRuntime)
    site.runtime.containers()[0].remove(force=True)
    failed = site.until(deployment, DeploymentState.FAILED)
    assert "recorded but not at this Docker Engine" in str(failed.reason)
    write_lock(site.settings.images_lock, before)
    site.until(deployment, DeploymentState.HEALTHY)
    assert score(site, deployment.endpoints[0]) is not None
