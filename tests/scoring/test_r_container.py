"""R versions in the scorer's image: hardened, without network, nothing writable but ``/tmp``."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from support.images import images_lock
from support.rmodels import RModels, signature
from tiltyard.containers.hardening import hardened
from tiltyard.containers.images import read_lock
from tiltyard.errors import UnavailableError
from tiltyard.scoring.client import ScorerClient
from tiltyard.scoring.probe import probe
from tiltyard.settings import Limits

pytestmark = pytest.mark.slow

__all__ = ["images_lock"]
FIRST_ANSWER_S = 20.0
"""On a busy machine; benchmarks/r_scorer.py says how long it takes alone."""


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    """Return a client of the engine."""
    with contextlib.closing(docker.from_env()) as engine:
        yield engine


@pytest.mark.parametrize("kind", ["same", "ranger", "glmnet"])
def test_a_container_predicts_to_the_bit(
    client: docker.DockerClient,
    images_lock: Path,
    r_models: RModels,
    r_versions: Callable[[str], Path],
    tmp_path: Path,
    kind: str,
) -> None:
    """A newer R than the one that trained repeats the golden rows and answers the same."""
    folder, sockets = r_versions(kind), tmp_path / "s"
    sockets.mkdir()
    container = client.containers.run(
        read_lock(images_lock).current("scorer-r").id,
        ["--folder", "/version", "--socket", "/socket/s.sock"],
        detach=True,
        network_mode="none",
        volumes={
            str(folder): {"bind": "/version", "mode": "ro"},
            str(sockets): {"bind": "/socket", "mode": "rw"},
        },
        **hardened(Limits(memory_mb=1024, cpus=1.0, pids=64), user=f"{os.getuid()}:{os.getgid()}"),
    )
    try:
        endpoint = f"unix:{sockets / 's.sock'}"
        assert _answered(endpoint, folder) is None
        if kind != "same":
            with ScorerClient(endpoint) as scorer:
                scored = scorer.score(signature(kind), r_models.rows(kind))
            expected = r_models.scores(kind)
            assert expected.probabilities is not None
            assert [value for value, _ in scored] == list(expected.values)
            assert [list(chances or ()) for _, chances in scored] == expected.probabilities.tolist()
    finally:
        container.remove(force=True)


def _answered(endpoint: str, folder: Path) -> str | None:
    deadline = time.monotonic() + FIRST_ANSWER_S
    while True:
        try:
            return probe(endpoint, folder)
        except UnavailableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
