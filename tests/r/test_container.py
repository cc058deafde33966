"""R in its own images: a notebook in lab-r logs a version that scorer-r serves."""

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from support.training import make_pipeline
from tiltyard.containers.engine import connect
from tiltyard.containers.images import read_lock
from tiltyard.containers.network import remove_network
from tiltyard.packaging.folder import verify_folder
from tiltyard.settings import Settings
from tiltyard.training.execute import execute
from tiltyard.training.folder import RunFolder
from tiltyard.training.places import place_of

pytestmark = pytest.mark.slow

CELLS = [
    "library(tiltyard)\ncat(R.version$major, Sys.getlocale('LC_CTYPE'), '\\u00fc\\n')",
    """rides <- data.frame(k = rep(1:10, 20), weather = factor(rep(c("Bö", "雨"), 100)))
rides$bikers <- rides$k / 3 + as.integer(rides$weather)
log_model(
  function(data) ranger::ranger(bikers ~ ., data, num.trees = trees, num.threads = 1), rides,
  model = "bikes", target = "bikers", task = "regression"
)""",
]


@pytest.fixture
def settings(tmp_path: Path, images_lock: Path) -> Iterator[Settings]:
    """A home whose runs are executed in containers; its network is removed at the end."""
    settings = Settings(
        home=tmp_path / "home",
        runtime="docker",
        docker={"subnet": "10.213.87.0/24"},
        images={"lock": str(images_lock)},
        runner={"memory_mb": 1024, "disk_mb": 50},
    )
    settings.path().mkdir()
    yield settings
    client = connect(settings)
    remove_network(client, settings)
    client.close()


def test_a_run_in_lab_r_makes_a_version_for_scorer_r(
    settings: Settings, images_lock: Path, tmp_path: Path
) -> None:
    """The scorer's image repeats the golden rows to the bit, without a network."""
    notebook = make_pipeline(tmp_path / "pipelines", CELLS, "trees <- 1L", language="r")
    folder = RunFolder(settings.path("runs", "one"))
    place = place_of(settings, "r")
    environment = dict(place.addresses)
    outcome = execute(place, notebook, {"trees": 5}, folder, environment=environment, timeout_s=120)
    log = folder.log.read_text()
    assert outcome.error is None, log
    assert "4 C.UTF-8 ü" in log
    manifest = verify_folder(folder.out / "version")
    assert manifest.provenance.image == read_lock(images_lock).current("lab-r").id
    assert manifest.libraries["r"].startswith("4.5")
    client = docker.from_env()
    try:
        client.containers.run(
            read_lock(images_lock).scorer_for(manifest.provenance.image, "r").id,
            ["--folder", "/version", "--check"],
            volumes={str(folder.out / "version"): {"bind": "/version", "mode": "ro"}},
            network_mode="none",
            read_only=True,
            tmpfs={"/tmp": ""},  # noqa: S108  the container's
            remove=True,
        )
    finally:
        client.close()
