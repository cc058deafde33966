"""Versions that the scoring tests share; each is built once."""

from pathlib import Path

import pytest

from support.models import build_version_folder


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
