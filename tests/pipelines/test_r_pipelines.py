"""The R pipelines on the real data: the same histories, versions of the same models."""

from collections.abc import Iterator

import pytest

from support.control import Control
from support.r import R, install
from support.training import finish, running
from tiltyard.settings import Settings
from tiltyard.types.registry import RunKind, RunRequest, RunState, Version

pytestmark = pytest.mark.slow

RUN_S = 250.0


@pytest.fixture(scope="module")
def r(tmp_path_factory: pytest.TempPathFactory) -> R:
    """R with the package."""
    return install(tmp_path_factory.mktemp("r") / "library")


@pytest.fixture(scope="module")
def prepared(settings: Settings, control: Control, r: R) -> Iterator[Control]:
    """A runner is at work, and R has written both histories."""
    with running(settings, control, **r.environment):
        for name in ("bikeshare", "shuttle"):
            _prepare(control, f"{name}-r")
        yield control


def test_both_languages_prepare_the_same_history(prepared: Control) -> None:
    """To the digest."""
    client = prepared.client()
    digest = client.history("bikeshare").digest
    levels = client.model("bikeshare").call_schema.column("weathersit")
    _prepare(prepared, "bikeshare")
    assert client.history("bikeshare").digest == digest
    assert client.model("bikeshare").call_schema.column("weathersit") == levels


@pytest.mark.parametrize("estimator", ["forest", "linear"])
def test_versions_of_bikeshare(prepared: Control, estimator: str) -> None:
    """Of the same model as Python's; the linear one carries its helper."""
    version = _trained(prepared, "bikeshare", estimator=estimator, n_estimators=50)
    manifest = version.manifest
    assert (manifest.language, manifest.engine) == ("r", "r")
    assert manifest.metrics["rmse"] < 55
    assert manifest.metrics["n"] == round(2067 / 5)
    assert manifest.provenance.notebook == "bikeshare-r/train"
    assert ("code/features.R" in manifest.files) == (estimator == "linear")


def test_versions_of_shuttle(prepared: Control) -> None:
    """Classes are the history's whole numbers, with their probabilities."""
    manifest = _trained(prepared, "shuttle", n_estimators=20).manifest
    assert manifest.metrics["f1"] > 0.99
    assert manifest.signature.output.classes == (0, 1)
    assert manifest.signature.output.probabilities


def _prepare(control: Control, pipeline: str) -> None:
    run = finish(control, RunRequest(kind=RunKind.PREPARE, pipeline=pipeline), RUN_S)
    assert (run.state, run.error) == (RunState.SUCCEEDED, None)


def _trained(control: Control, model: str, **parameters: object) -> Version:
    request = RunRequest(kind=RunKind.TRAIN, pipeline=f"{model}-r", parameters=parameters)
    run = finish(control, request, RUN_S)
    assert (run.state, run.error) == (RunState.SUCCEEDED, None)
    assert run.version is not None
    return control.client().version(model, run.version)
