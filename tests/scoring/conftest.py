"""Versions that the scoring tests share; each is built once."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from support.models import build_version_folder
from support.rmodels import RModels


@pytest.fixture(scope="session")
def logistic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a logistic pipeline of 30 float columns, served by ONNX."""
    folder = tmp_path_factory.mktemp("versions") / "logistic"
    build_version_folder("logistic", folder)
    return folder


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a regression on columns of several types."""
    folder = tmp_path_factory.mktemp("versions") / "mixed"
    build_version_folder("mixed", folder)
    return folder


@pytest.fixture(scope="session")
def r_models(tmp_path_factory: pytest.TempPathFactory) -> RModels:
    """What R made: rows, models and predictions."""
    return RModels(tmp_path_factory.mktemp("r"))


@pytest.fixture(scope="session")
def r_versions(
    r_models: RModels, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """Return the folder of a version made by R, by its kind."""
    folder = tmp_path_factory.mktemp("r-versions")

    @cache
    def version(kind: str) -> Path:
        r_models.write(kind, folder / kind)
        return folder / kind

    return version
