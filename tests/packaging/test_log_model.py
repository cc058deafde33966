"""``log_model`` as a notebook calls it: in a run, from a free notebook, without control."""

import io
import sys
import tarfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import tiltyard
from support.control import Control, make_home, serve
from support.models import mixed_frame, mixed_pipeline
from tiltyard.client.frames import to_batches
from tiltyard.client.verbs import read_history
from tiltyard.errors import ConflictError, InvalidInputError, TiltyardError
from tiltyard.packaging.folder import verify_folder

HELPER = '''
"""What a pipeline derives from times."""

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.algebra.onnx_ops import OnnxAdd, OnnxIdentity
from skl2onnx.common.data_types import DoubleTensorType
from sklearn.base import BaseEstimator, RegressorMixin


def clock(frame):
    return frame.assign(hour=frame["at"].dt.hour).drop(columns="at")


class Mean(RegressorMixin, BaseEstimator):
    def fit(self, frame, target):
        self.mean_ = float(np.mean(target))
        return self

    def predict(self, frame):
        return np.asarray(frame)[:, 0] * 0 + self.mean_


class Broken(Mean):
    def predict(self, frame):
        raise RuntimeError("out of order")


def shape(operator):
    operator.outputs[0].type = DoubleTensorType([None, 1])


def wrong(scope, operator, container):
    """A converter whose graph predicts something else."""
    one = np.array([1.0])
    added = OnnxAdd(operator.inputs[0], one, op_version=container.target_opset)
    opset, outputs = container.target_opset, operator.outputs[:1]
    OnnxIdentity(added, op_version=opset, output_names=outputs).add_to(scope, container)


def register():
    update_registered_converter(Mean, "TyMean", shape, wrong)
'''


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module beside the notebook, which nobody has installed."""
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline" / "ty_clock.py").write_text(HELPER)
    monkeypatch.syspath_prepend(str(tmp_path / "pipeline"))
    yield import_module("ty_clock")
    del sys.modules["ty_clock"]


@pytest.fixture
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment of a run, without a control."""
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.setenv("TILTYARD_RUN_DIR", str(folder))
    monkeypatch.setenv("TILTYARD_HOME", str(tmp_path / "nowhere"))
    return folder


@pytest.fixture
def control(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Control]:
    """A real control that holds the history of the model bikes, and a notebook's settings."""
    with serve(make_home(tmp_path / "home")) as served:
        monkeypatch.setenv("TILTYARD_CLIENT__URL", served.url)
        monkeypatch.setenv("TILTYARD_CLIENT__TOKEN", served.tokens["scientist"])
        schema, batches = to_batches(mixed_frame())
        served.client("scientist").put_history(
            "bikes", schema, batches, task="regression", target="rentals", event_time="at"
        )
        yield served


@pytest.mark.slow
def test_in_a_run_the_folder_is_the_declaration(run_dir: Path) -> None:
    """It lies at version/, tried by a scorer of its own, and has no number yet."""
    logged = tiltyard.log_model(
        mixed_pipeline(), mixed_frame(), model="bikes", target="rentals", task="regression"
    )
    assert logged.version is None
    assert logged.folder == run_dir / "version"
    assert verify_folder(run_dir / "version") == logged.manifest
    assert sorted(p.name for p in run_dir.iterdir()) == ["version"]
    assert logged.metrics["n"] == 60


def test_a_run_logs_one_version(run_dir: Path) -> None:
    """A second call is told so, and the first version stays."""
    for _ in range(2):
        (run_dir / "version").mkdir(exist_ok=True)
        with pytest.raises(ConflictError, match="logged a version already"):
            tiltyard.log_model(mixed_pipeline(), mixed_frame(), model="bikes", target="rentals")


def test_what_failed_half_way_does_not_stand_in_the_way(run_dir: Path) -> None:
    """A cell that is mended and run again logs its version."""
    options: dict[str, Any] = {
        "model": "bikes",
        "target": "rentals",
        "task": "regression",
        "check": False,
    }
    with pytest.raises(InvalidInputError, match="JSON cannot hold"):
        tiltyard.log_model(mixed_pipeline(), mixed_frame(), parameters={"a": {1}}, **options)
    assert tiltyard.log_model(mixed_pipeline(), mixed_frame(), **options).folder


@pytest.mark.slow
def test_modules_travel_with_the_version(run_dir: Path, helper: ModuleType) -> None:
    """A scorer finds them in the folder, not in the notebook's."""
    frame = mixed_frame()[["at", "temperature", "rentals"]]
    estimator = make_pipeline(FunctionTransformer(helper.clock), LinearRegression())
    options: dict[str, Any] = {"model": "bikes", "target": "rentals", "task": "regression"}
    with pytest.raises(InvalidInputError, match=r"module 'ty_clock'.*code=\[ty_clock\]"):
        tiltyard.log_model(estimator, frame, **options)
    logged = tiltyard.log_model(estimator, frame, code=[helper], **options)
    assert logged.manifest.files.keys() >= {"code/ty_clock.py", "model.joblib"}
    assert logged.manifest.engine == "sklearn"


@pytest.mark.slow
def test_a_module_that_is_missing_in_a_scorer_is_found_out(
    run_dir: Path, helper: ModuleType, tmp_path: Path
) -> None:
    """What a given module imports itself is missed by nobody but a scorer: it is asked first."""
    (tmp_path / "pipeline" / "ty_outer.py").write_text("from ty_clock import clock as outer\n")
    outer = import_module("ty_outer")
    estimator = make_pipeline(FunctionTransformer(outer.outer), LinearRegression())
    helper.clock.__module__, helper.clock.__qualname__ = "ty_outer", "outer"
    with pytest.raises(TiltyardError, match="needs the module 'ty_clock'"):
        tiltyard.log_model(
            estimator,
            mixed_frame()[["at", "temperature", "rentals"]],
            model="bikes",
            target="rentals",
            task="regression",
            code=[outer],
        )
    assert not (run_dir / "version").exists()
    del sys.modules["ty_outer"]


class Notebook(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """An estimator that a notebook defines itself."""

    def fit(self, frame: pd.DataFrame, target: object) -> "Notebook":
        """Learn nothing."""
        self.fitted_ = True
        return self

    def predict(self, frame: pd.DataFrame) -> list[float]:
        """Predict nothing."""
        return [0.0] * len(frame)


def test_a_class_of_the_notebook_is_refused(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the class and says where to put it."""
    monkeypatch.setattr(Notebook, "__module__", "__main__")
    monkeypatch.setattr(sys.modules["__main__"], "Notebook", Notebook, raising=False)
    with pytest.raises(InvalidInputError, match=r"'Notebook', .*move it to a module.*code=\["):
        tiltyard.log_model(
            Notebook(), mixed_frame(), model="bikes", target="rentals", task="regression"
        )


def test_a_graph_that_disagrees_does_not_serve(run_dir: Path, helper: ModuleType) -> None:
    """The native engine serves, and the manifest names the first row that differs."""
    helper.register()
    frame = mixed_frame()[["temperature", "rentals"]]
    logged = tiltyard.log_model(
        helper.Mean(), frame, model="bikes", target="rentals", task="regression", code=[helper],
        check=False,
    )  # fmt: skip
    assert logged.manifest.engine == "sklearn"
    assert "its predictions differ: row 0 is" in logged.manifest.engine_note


def test_an_estimator_that_cannot_predict_is_refused(run_dir: Path, helper: ModuleType) -> None:
    """Whatever it raises, the sentence says what was tried."""
    frame = mixed_frame()[["temperature", "rentals"]]
    with pytest.raises(InvalidInputError, match=r"own training rows.*RuntimeError: out of order"):
        tiltyard.log_model(
            helper.Broken(), frame, model="bikes", target="rentals", task="regression",
            code=[helper],
        )  # fmt: skip


def test_without_control_the_target_must_be_told(run_dir: Path) -> None:
    """The error is that of the missing control, not a riddle."""
    with pytest.raises(TiltyardError, match="token"):
        tiltyard.log_model(mixed_pipeline(), mixed_frame(), model="bikes")


@pytest.mark.slow
def test_a_free_notebook_uploads(
    control: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Target, task and event time are the model's; the number comes back."""
    monkeypatch.setenv("TILTYARD_IMAGE", "sha256:lab")
    history = read_history("bikes", end="2011-01-10")
    logged = tiltyard.log_model(mixed_pipeline(), history, model="bikes")
    assert (logged.version, logged.folder) == (1, None)
    version = control.client("viewer").version("bikes", 1)
    assert version.manifest == logged.manifest
    assert version.manifest.provenance.history_digest == history.attrs["history_digest"]
    assert version.manifest.provenance.image == "sha256:lab"
    assert "at" not in {c.name for c in version.manifest.signature.inputs}
    batches = list(control.parts.store.read_history_predictions("bikes", 1))
    assert sum(b.num_rows for b in batches) == len(mixed_frame()) > len(history)
    control.client("scientist").download_version("bikes", 1, tmp_path / "v.tar")
    with tarfile.open(fileobj=io.BytesIO((tmp_path / "v.tar").read_bytes())) as tar:
        tar.extractall(tmp_path / "v", filter="data")
    assert verify_folder(tmp_path / "v") == logged.manifest


def test_the_history_is_read_when_none_is_given(control: Control) -> None:
    """One line logs a model."""
    logged = tiltyard.log_model(mixed_pipeline(), model="bikes", check=False)
    assert logged.version == 1
    assert logged.manifest.history_metrics["n"] == len(mixed_frame())


def test_a_derived_column_is_refused(control: Control) -> None:
    """Applications do not send what a notebook computes: it belongs into the estimator."""
    history = read_history("bikes").assign(warm=lambda f: f["temperature"] > 20)
    with pytest.raises(InvalidInputError, match=r"'warm'.*belongs into the estimator"):
        tiltyard.log_model(
            mixed_pipeline(), history, model="bikes", features=["hour", "weather", "warm",
            "holiday", "temperature"], check=False,
        )  # fmt: skip
