"""Runs that make versions: registered, known again, deployed, trained anew."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.control import Control, bikes_frame, write_bikes
from support.training import finish, make_pipeline, running
from support.worker import put_log
from tiltyard.artifacts import folder_digest, unpack
from tiltyard.client.frames import to_batches, to_frame
from tiltyard.settings import Settings
from tiltyard.types.records import EPOCH_BITS, ActualRecord, LogRecord, PredictionRecord
from tiltyard.types.registry import Run, RunKind, RunRequest, RunState, Version

pytestmark = pytest.mark.slow

TRAIN = """\
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
import helper
import tiltyard
columns = make_column_transformer(
    (FunctionTransformer(helper.filled), ["temperature"]),
    (OneHotEncoder(handle_unknown="ignore"), ["weather"]),
)
history = tiltyard.read_history(model, end=end)
tiltyard.log_model(make_pipeline(columns, Ridge(alpha)), history, model=model, code=[helper])
"""
PARAMETERS = 'model = "bikes"\nalpha = 1.0\nend: str | None = None'
HELPER = "def filled(frame):\n    return frame.fillna(0.0)\n"
ROWS = 48
HOUR = 3_600_000_000
APRIL = datetime(2024, 4, 1, tzinfo=UTC)


@pytest.fixture
def pipeline(settings: Settings, control: Control) -> Path:
    """A pipeline for the model bikes, whose history is there; returns its folder."""
    write_bikes(control, bikes_frame(ROWS))
    folder = make_pipeline(settings.pipelines.path, ["# Train", TRAIN], PARAMETERS).path.parent
    (folder / "helper.py").write_text(HELPER)
    return folder


def train(**more: object) -> RunRequest:
    """Ask for the train notebook of the pipeline demo."""
    asked = {"kind": RunKind.TRAIN, "pipeline": "demo", "model": "bikes", **more}
    return RunRequest.model_validate(asked)


def version_of(control: Control, run: Run) -> Version:
    """Return what a run has made."""
    assert (run.state, run.error) == (RunState.SUCCEEDED, None)
    assert run.version is not None
    return control.client().version("bikes", run.version)


def test_a_train_run_registers_what_it_logged(
    settings: Settings, control: Control, pipeline: Path, tmp_path: Path
) -> None:
    """The folder is whole; it holds both notebooks, the parameters and where it comes from."""
    with running(settings, control):
        run = finish(control, train(parameters={"alpha": 2.0}))
    version = version_of(control, run)
    manifest = version.manifest
    assert version.run == run.id
    assert {n: manifest.parameters[n] for n in ("model", "alpha", "end")} == {
        "model": "bikes",
        "alpha": 2.0,
        "end": None,
    }
    assert manifest.provenance.notebook == "demo/train"
    assert manifest.provenance.history_digest == run.history
    assert run.history == control.client().history("bikes").digest
    assert manifest.provenance.notebook_digest
    assert manifest.provenance.lock_digest
    control.client().download_version("bikes", version.version, tmp_path / "v.tar")
    with (tmp_path / "v.tar").open("rb") as tar:
        unpack(tar, tmp_path / "v", 10**8)
    assert folder_digest(tmp_path / "v") == version.digest
    source = (tmp_path / "v" / "source.ipynb").read_bytes()
    assert source == (pipeline / "train.ipynb").read_bytes()
    assert "alpha = 2.0" in (tmp_path / "v" / "notebook.ipynb").read_text()
    assert (tmp_path / "v" / "code" / "helper.py").read_text() == HELPER


def test_a_known_key_returns_its_version(
    settings: Settings, control: Control, pipeline: Path
) -> None:
    """At once, and also when a default is given by name; unless forced, or something changed."""
    with running(settings, control):
        first = finish(control, train())
        again = finish(control, train(parameters={"alpha": 1.0}))
        assert (again.version, again.key) == (first.version, first.key) == (1, first.key)
        assert again.progress.total == 0
        assert finish(control, train(force=True)).version == 2
        (pipeline / "helper.py").write_text(HELPER + "\n")
        changed = finish(control, train())
    assert changed.version == 3
    assert changed.key != first.key


def test_a_version_of_another_model_is_refused(
    settings: Settings, control: Control, pipeline: Path
) -> None:
    """A run about one model must not register into another."""
    schema, batches = to_batches(bikes_frame(ROWS))
    control.client("scientist").put_history(
        "others", schema, batches, task="regression", target="bikers", event_time="at"
    )
    with running(settings, control):
        run = finish(control, train(parameters={"model": "others"}))
    assert run.state is RunState.FAILED
    assert "logged a version of 'others', but the run is about 'bikes'" in (run.error or "")
    assert control.client().versions("bikes") == []


def test_a_tampered_version_is_refused(
    settings: Settings, control: Control, pipeline: Path
) -> None:
    """What the manifest says must be what is there."""
    tamper = (
        "import os\nfrom pathlib import Path\n"
        "p = Path(os.environ['TILTYARD_RUN_DIR'], 'version', 'model.joblib')\n"
        "p.write_bytes(p.read_bytes() + b'x')"
    )
    make_pipeline(settings.pipelines.path, [TRAIN, tamper], PARAMETERS)
    with running(settings, control):
        run = finish(control, train())
    assert run.state is RunState.FAILED
    assert run.error == "The logged version is not what its version.json says: model.joblib."


def test_retraining_adds_live_rows_and_deploys_a_challenger(
    settings: Settings, control: Control, pipeline: Path
) -> None:
    """The champion's notebook and parameters on history plus live rows with actuals."""
    client = control.client()
    with running(settings, control):
        first = version_of(
            control,
            finish(control, train(parameters={"alpha": 3.0, "end": "2024-02-01"}, deploy=True)),
        )
        (deployment,) = client.deployments("bikes")
        client.set_deployment(deployment.id, "healthy")
        client.promote("bikes", 1, None, "first")
        put_log(control.parts.store, live_rows())
        run = finish(control, RunRequest(kind=RunKind.RETRAIN, pipeline="bikes", deploy=True))
        second = version_of(control, run)
    assert (first.version, second.version) == (1, 2)
    assert second.manifest.parameters["alpha"] == 3.0
    assert second.manifest.parameters["end"] is None
    assert run.history == second.manifest.provenance.history_digest
    assert run.history != client.history("bikes").digest
    frame = to_frame(client.read_history("bikes", run.history))
    assert len(frame) == ROWS + 10
    assert frame["bikers"].tail(10).tolist() == [*range(100, 110)]
    assert {d.version for d in client.deployments("bikes")} == {1, 2}
    assert client.progress("bikes", 2)["behind"] == 20


def live_rows() -> list[LogRecord]:
    """Twenty hours of April, answered by version 1; of ten the actual is known."""
    first = 1 << EPOCH_BITS
    start = int(APRIL.timestamp() * 1e6)
    made: list[LogRecord] = [
        PredictionRecord(
            gateway=1,
            seq=first + i,
            model="bikes",
            model_seq=first + i,
            received_at=start + i * HOUR,
            event_time=start + i * HOUR,
            version=1,
            row={"at": APRIL + timedelta(hours=i), "temperature": 1.0, "weather": "sun"},
            value=1.0,
        )
        for i in range(20)
    ]
    known = start + 30 * HOUR
    made += [
        ActualRecord(
            gateway=1,
            seq=first + 20 + i,
            model="bikes",
            model_seq=first + 20 + i,
            received_at=known,
            of_gateway=1,
            of_seq=first + i,
            value=100 + i,
            known_at=known,
        )
        for i in range(10)
    ]
    return made
