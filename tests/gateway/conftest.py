"""One version, its scorer and a gateway that most tests share."""

from collections.abc import Iterator

import pytest

from support import typed
from support.gateway import Gateway, Scorer, running, socket_path
from support.typed import Served


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The version with columns of all types, and a table whose routes lead to its scorer."""
    folder = tmp_path_factory.mktemp("versions") / "typed"
    manifest = typed.build(folder)
    path = socket_path(folder)
    scorer = Scorer(folder, "sklearn", path)
    table = typed.table(manifest, scorer.endpoint, f"unix:{socket_path(folder)}")
    try:
        scorer.start()
        yield Served(manifest, folder, scorer, table)
    finally:
        scorer.kill()
        path.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def gateway(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway on the usual limits; its segments are small, so that they are read quickly."""
    small = {"TILTYARD_GATEWAY__SEGMENT_BYTES": "500000"}
    with running(tmp_path_factory.mktemp("home"), served.table, **small) as gateway:
        yield gateway
