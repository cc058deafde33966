"""Versions, scorers and one gateway for the tests that do not harm them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sklearn.linear_model import LogisticRegression

from support.gateway import Gateway, Scorer, make_table, model_route, running, socket_path
from support.models import mixed_frame, mixed_pipeline, wide_frame
from support.yard import build as build_yard
from tiltyard.packaging.build import build_version
from tiltyard.packaging.options import Options
from tiltyard.types.registry import VersionManifest
from tiltyard.types.routes import ModelRoute
from tiltyard.types.schema import Column, ColumnType, UnknownLevel

Built = tuple[Path, VersionManifest]

AT = Column(name="at", type=ColumnType.DATETIME, nullable=True)
DAY = Column(name="day", type=ColumnType.DATE, nullable=True)
NOTE = Column(name="note", type=ColumnType.STRING, nullable=True)


@pytest.fixture(scope="session")
def versions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Built]:
    """A version of a model for each policy of unknown levels, and a classifier."""
    folder = tmp_path_factory.mktemp("versions")
    usual = Options(model="classes", target="y", holdout=0)
    built = {}
    for policy in UnknownLevel:
        name = policy.value
        options = replace(
            usual,
            model=name,
            target="rentals",
            event_time="at",
            unknown_levels={"weather": name},
        )
        into = folder / name
        built[name] = (into, build_version(into, mixed_pipeline(), mixed_frame(120), options))
    frame = wide_frame(120)[["f0", "f1", "y"]]
    into = folder / "classes"
    built["classes"] = (into, build_version(into, LogisticRegression(), frame, usual))
    return built


@pytest.fixture(scope="session")
def hazardous(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A version whose scorer dies when x is 666 and raises when it is 13."""
    into = tmp_path_factory.mktemp("hazard") / "v4"
    return into, build_yard(into, 4)


@pytest.fixture(scope="session")
def shared(
    versions: dict[str, Built], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway in front of these models, of one without champion, and one without scorer."""
    home = tmp_path_factory.mktemp("home")
    scorers = {
        name: Scorer(folder, "sklearn", socket_path(folder))
        for name, (folder, _) in versions.items()
    }
    routes = [
        typed_route(manifest, [scorers[name].endpoint], number)
        for number, (name, (_, manifest)) in enumerate(versions.items(), 1)
    ]
    champion = routes[0].champion
    assert champion is not None
    gone = champion.model_copy(update={"endpoints": (f"unix:{home}/none.sock",)})
    routes.append(routes[0].model_copy(update={"name": "idle", "number": 8, "champion": None}))
    routes.append(routes[0].model_copy(update={"name": "away", "number": 9, "champion": gone}))
    with running(home, make_table(*routes), *scorers.values()) as gateway:
        yield gateway


def typed_route(manifest: VersionManifest, endpoints: list[str], number: int = 1) -> ModelRoute:
    """Return a route whose call schema has further columns of other types."""
    if manifest.task == "classification":
        return model_route(manifest, endpoints, number=number)
    return model_route(manifest, endpoints, number=number, event_time="at", extra=(AT, DAY, NOTE))
