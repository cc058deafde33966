"""Versions built from real estimators: what is in their folders, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import mean_absolute_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from support.models import mixed_frame, mixed_pipeline, wide_frame
from tiltyard.errors import InvalidInputError
from tiltyard.packaging.build import build_version
from tiltyard.packaging.calls import in_call_types
from tiltyard.packaging.folder import verify_folder
from tiltyard.packaging.options import Options
from tiltyard.packaging.signatures import infer_inputs
from tiltyard.scoring.engines import load_engine
from tiltyard.scoring.golden import read_golden, repeat_golden
from tiltyard.scoring.tables import read_table
from tiltyard.types.registry import VersionManifest
from tiltyard.types.schema import CallSchema, Column, ColumnType

ROWS = 200


def built(folder: Path, estimator: Any, frame: pd.DataFrame, **options: Any) -> VersionManifest:
    """Build a version and check what holds for every one."""
    manifest = build_version(folder, estimator, frame, Options(model="m", **options))
    assert verify_folder(folder) == manifest
    golden = read_golden(folder, manifest.signature)
    assert golden.batch.n >= 100
    for engine in {"sklearn", manifest.engine}:
        repeat_golden(load_engine(engine, folder, manifest), golden)
    return manifest


def predictions(folder: Path) -> pa.Table:
    """Return the predictions of the history."""
    return read_table(folder / "history_predictions.arrow")


def labelled(labels: list[Any]) -> pd.DataFrame:
    """Return a frame whose target has these classes, one by ranges of a noisy sum."""
    frame = wide_frame(ROWS, seed=11)
    codes = pd.qcut(frame["f0"] + frame["f1"], len(labels), labels=False)
    frame["y"] = pd.Series([labels[code] for code in codes])
    return frame


@pytest.mark.parametrize(
    ("estimator", "engine"),
    [
        (make_pipeline(StandardScaler(), Ridge()), "onnx"),
        (RandomForestRegressor(10, random_state=0), "onnx"),
        (GradientBoostingRegressor(n_estimators=10, random_state=0), "onnx"),
    ],
)
def test_regressors_are_served_by_onnx_where_it_agrees(
    tmp_path: Path, estimator: Any, engine: str
) -> None:
    """Predictions of the history are the serving engine's, and close to the estimator's."""
    frame = wide_frame(ROWS).drop(columns="y")
    manifest = built(tmp_path / "v", estimator, frame, target="f0")
    assert manifest.engine == engine
    own = estimator.fit(frame.drop(columns="f0"), frame["f0"]).predict(frame.drop(columns="f0"))
    values = predictions(tmp_path / "v").column("value").to_numpy()
    np.testing.assert_allclose(values, own, rtol=1e-4, atol=1e-6)
    assert manifest.history_metrics["mae"] == pytest.approx(
        mean_absolute_error(frame["f0"], values)
    )


@pytest.mark.parametrize(
    "labels", [[0, 1], [False, True], ["no", "yes"], ["a", "b", "c"], [3, 1, 2]]
)
def test_classes_of_every_kind_come_back(tmp_path: Path, labels: list[Any]) -> None:
    """Labels keep their type, probabilities stand in the order of the classes."""
    manifest = built(tmp_path / "v", LogisticRegression(max_iter=500), labelled(labels), target="y")
    output = manifest.signature.output
    assert output.classes == tuple(sorted(labels))
    assert manifest.engine == "onnx"
    table = predictions(tmp_path / "v")
    assert table.column_names == ["value", *(f"p{i}" for i in range(len(labels)))]
    chances = np.column_stack([table.column(f"p{i}").to_numpy() for i in range(len(labels))])
    likeliest = [sorted(labels)[i] for i in chances.argmax(axis=1)]
    assert table.column("value").to_pylist() == likeliest
    assert [len(row) for row in manifest.metrics["confusion_matrix"]] == [len(labels)] * len(labels)


def test_a_classifier_without_probabilities_has_none(tmp_path: Path) -> None:
    """Labels alone are enough."""
    manifest = built(tmp_path / "v", LinearSVC(random_state=0), labelled(["a", "b"]), target="y")
    assert not manifest.signature.output.probabilities
    assert predictions(tmp_path / "v").column_names == ["value"]


def test_a_pipeline_of_mixed_columns(tmp_path: Path) -> None:
    """Event time orders the hold-out and is no input; parameters are the last step's."""
    manifest = built(
        tmp_path / "v", mixed_pipeline(), mixed_frame(), target="rentals", event_time="at"
    )
    assert [c.name for c in manifest.signature.inputs] == [
        "hour",
        "weather",
        "holiday",
        "temperature",
    ]
    assert manifest.engine == "onnx"
    assert manifest.parameters["fit_intercept"] is True
    assert set(manifest.histograms) == {"hour", "temperature", "rentals"}
    assert manifest.provenance.train_start == mixed_frame()["at"].min()
    assert manifest.provenance.train_end == mixed_frame()["at"].max()
    assert {"python", "scikit-learn", "numpy", "pandas"} <= manifest.libraries.keys()


def test_missing_values_and_categories_of_boosting(tmp_path: Path) -> None:
    """Gradient boosting on pandas categories with gaps in everything; levels pass as missing."""
    frame = mixed_frame(ROWS).drop(columns="at").astype({"weather": "category"})
    frame["holiday"] = frame["holiday"].astype("boolean").mask(frame.index % 17 == 3)
    frame["hour"] = frame["hour"].astype("Int64").mask(frame.index % 13 == 3)
    frame.loc[5, "temperature"] = np.nan
    frame.loc[7, "weather"] = None
    boosting = HistGradientBoostingRegressor(
        max_iter=10, categorical_features="from_dtype", random_state=0
    )
    manifest = built(tmp_path / "v", boosting, frame, target="rentals")
    assert all(c.nullable for c in manifest.signature.inputs)
    golden = read_table(tmp_path / "v" / "golden.arrow")
    for name in ("hour", "weather", "holiday"):
        assert golden.column(name).null_count > 0
    assert np.isnan(golden.column("temperature").to_numpy()).any()


def test_what_cannot_be_converted_is_served_natively(tmp_path: Path) -> None:
    """The manifest says why; no graph is in the folder."""
    estimator = HistGradientBoostingClassifier(max_iter=5, random_state=0)
    frame = wide_frame(ROWS).astype({"f0": "float32"})
    frame["at"] = pd.date_range("2011", periods=ROWS, freq="h", tz="UTC")
    columns = make_column_transformer(("drop", ["at"]), remainder="passthrough")
    manifest = built(tmp_path / "v", make_pipeline(columns, estimator), frame, target="y")
    assert manifest.engine == "sklearn"
    assert "dates or times" in manifest.engine_note
    assert not (tmp_path / "v" / "model.onnx").exists()


@pytest.mark.parametrize(
    ("encoder", "given", "policy"),
    [
        (OneHotEncoder(handle_unknown="ignore"), None, "pass"),
        (OneHotEncoder(), None, "refuse"),
        (OneHotEncoder(), "refuse", "refuse"),
        (OneHotEncoder(handle_unknown="ignore"), "missing", "missing"),
        (OneHotEncoder(handle_unknown="ignore"), "refuse", "refuse"),
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), None, "pass"),
    ],
)
def test_unknown_levels_pass_where_the_estimator_copes(
    tmp_path: Path, encoder: Any, given: str | None, policy: str
) -> None:
    """The estimator is tried on a level it never saw, unless the user says what to do."""
    estimator = make_pipeline(
        make_column_transformer((encoder, ["weather"]), ("passthrough", ["hour"])),
        LinearRegression(),
    )
    frame = mixed_frame(ROWS)[["weather", "hour", "rentals"]]
    chosen = None if given is None else {"weather": given}
    manifest = built(tmp_path / "v", estimator, frame, target="rentals", unknown_levels=chosen)
    assert manifest.signature.inputs[0].unknown == policy


@pytest.mark.parametrize("policy", ["pass", "missing"])
def test_a_policy_that_the_estimator_does_not_cope_with_is_refused(
    tmp_path: Path, policy: str
) -> None:
    """An encoder that raises for unknown levels cannot let them pass."""
    estimator = make_pipeline(make_column_transformer((OneHotEncoder(), ["weather"])), Ridge())
    with pytest.raises(InvalidInputError, match=f"'weather' '{policy}', but the estimator"):
        built(
            tmp_path / "v",
            estimator,
            mixed_frame(ROWS)[["weather", "rentals"]],
            target="rentals",
            unknown_levels={"weather": policy},
        )


def test_an_imputed_level_agrees_or_is_served_natively(tmp_path: Path) -> None:
    """Missing text is where ONNX and scikit-learn part; predictions never do."""
    frame = mixed_frame(ROWS)[["weather", "temperature", "rentals"]]
    frame.loc[::9, "weather"] = None
    levels = make_pipeline(
        SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
    )
    estimator = make_pipeline(
        make_column_transformer((levels, ["weather"]), ("passthrough", ["temperature"])),
        LinearRegression(),
    )
    manifest = built(tmp_path / "v", estimator, frame, target="rentals")
    own = estimator.fit(frame[["weather", "temperature"]], frame["rentals"])
    np.testing.assert_allclose(
        predictions(tmp_path / "v").column("value").to_numpy(),
        own.predict(frame[["weather", "temperature"]]),
        rtol=1e-5,
    )
    assert manifest.signature.inputs[0].nullable


def test_the_hold_out_is_the_newest_part(tmp_path: Path) -> None:
    """Rows are ordered by event time, not by where they stand."""
    frame = mixed_frame(ROWS)
    frame["rentals"] = np.where(np.arange(ROWS) < 160, frame["rentals"], 10_000)
    mixed_up = frame.sample(frac=1, random_state=0)
    for rows in (frame, mixed_up):
        manifest = built(
            tmp_path / str(rows.index[0]), mixed_pipeline(), rows, target="rentals", event_time="at"
        )
        assert manifest.metrics["n"] == 40
        assert manifest.metrics["bias"] < -9_000


def test_no_hold_out_no_metrics(tmp_path: Path) -> None:
    """A share of 0 trains once and tells metrics over the history only."""
    manifest = built(
        tmp_path / "v", DecisionTreeClassifier(), labelled([0, 1]), target="y", holdout=0
    )
    assert manifest.metrics == {}
    assert manifest.history_metrics["n"] == ROWS


def test_a_class_that_first_occurs_in_the_hold_out_counts_as_missed(tmp_path: Path) -> None:
    """The metrics know all classes, those that the clone never saw too."""
    frame = labelled(["a", "b"])
    frame["y"] = frame["y"].where(frame.index < 180, "c")
    manifest = built(tmp_path / "v", LogisticRegression(max_iter=500), frame, target="y")
    assert manifest.signature.output.classes == ("a", "b", "c")
    assert sum(manifest.metrics["confusion_matrix"][2]) == 20
    assert manifest.metrics["confusion_matrix"][2][2] == 0


def test_a_fitted_estimator_can_be_kept(tmp_path: Path) -> None:
    """Its inputs are those it was fitted on, in their order; it is not fitted again."""
    frame = wide_frame(ROWS)
    fitted = Ridge().fit(frame[["f3", "f1"]] + 100, frame["f0"])
    manifest = built(tmp_path / "v", fitted, frame, target="f0", refit=False)
    assert [c.name for c in manifest.signature.inputs] == ["f3", "f1"]
    np.testing.assert_allclose(
        predictions(tmp_path / "v").column("value").to_numpy(),
        fitted.predict(frame[["f3", "f1"]]),
        rtol=1e-5,
    )
    with pytest.raises(InvalidInputError, match="it is not fitted"):
        built(tmp_path / "w", Ridge(), frame, target="f0", refit=False)


def test_an_estimator_that_depends_on_other_types_is_not_kept(tmp_path: Path) -> None:
    """One that reckoned in single precision predicts otherwise from doubles."""
    large = (1e8 + np.random.default_rng(4).normal(0, 30, ROWS)).astype(np.float32)
    frame = pd.DataFrame({"large": large, "y": large % 97})
    single = make_pipeline(StandardScaler(), Ridge()).fit(frame[["large"]], frame["y"])
    with pytest.raises(InvalidInputError, match="predicts otherwise"):
        built(tmp_path / "v", single, frame, target="y", refit=False)


@pytest.mark.parametrize(
    ("here", "calls", "type_", "dtype"),
    [
        (["a", "b"] * 50, ColumnType.STRING, ColumnType.STRING, "str"),
        ([f"v{i}" for i in range(100)], ColumnType.CATEGORY, ColumnType.CATEGORY, "str"),
        (range(100), ColumnType.FLOAT64, ColumnType.FLOAT64, "float64"),
        ([1.0, None] * 50, ColumnType.INT64, ColumnType.INT64, "float64"),
    ],
)
def test_inputs_have_the_types_of_calls(
    here: Any, calls: ColumnType, type_: ColumnType, dtype: str
) -> None:
    """Text is a category if calls say so; whole numbers and numbers follow calls."""
    levels = ("a",) if calls is ColumnType.CATEGORY else None
    schema = CallSchema(
        columns=(Column(name="c", type=calls, levels=levels),),
        target="y",
        target_type=ColumnType.FLOAT64,
    )
    inputs = in_call_types(infer_inputs(pd.DataFrame({"c": here})), schema)
    assert (inputs.columns[0].type, inputs.dtypes["c"]) == (type_, dtype)
    assert (inputs.columns[0].levels is None) == (type_ is not ColumnType.CATEGORY)
    for other in (ColumnType.BOOL, ColumnType.DATE):
        wrong = schema.model_copy(update={"columns": (Column(name="c", type=other),)})
        with pytest.raises(InvalidInputError, match=f"'c' is .* here, but {other}"):
            in_call_types(infer_inputs(pd.DataFrame({"c": here})), wrong)


def test_a_wider_history_is_predicted_whole(tmp_path: Path) -> None:
    """A version trained on a window predicts the whole snapshot; what it cannot is missing."""
    whole = mixed_frame(ROWS).astype({"hour": "Int64"})
    whole.loc[3, "hour"] = None
    window = whole[whole["at"] >= whole["at"][50]]
    manifest = build_version(
        tmp_path / "v",
        mixed_pipeline(),
        window.astype({"hour": "int64"}),
        Options(model="m", target="rentals", event_time="at"),
        history=whole,
    )
    values = predictions(tmp_path / "v").column("value").to_numpy()
    assert len(values) == ROWS
    assert np.flatnonzero(np.isnan(values)).tolist() == [3]
    assert manifest.history_metrics["n"] == ROWS - 1
    assert manifest.provenance.train_start == whole["at"][50]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "gone"}, "no column 'gone' to predict"),
        ({"target": "rentals", "features": ["hour", "gone"]}, "no column 'gone'"),
        ({"target": "rentals", "features": ["hour", "rentals"]}, "cannot be an input too"),
        ({"target": "rentals", "event_time": "gone"}, "no event time 'gone'"),
        ({"target": "rentals", "event_time": "hour"}, "'hour' holds int64, not times"),
        ({"target": "rentals", "event_time": "at", "holdout": 1.0}, "nothing on one side"),
        ({"target": "rentals", "event_time": "at", "holdout": -0.1}, "nothing on one side"),
        (
            {"target": "rentals", "event_time": "at", "parameters": {"a": {1, 2}}},
            "Parameter 'a' .* JSON cannot hold",
        ),
    ],
)
def test_options_that_do_not_fit_are_refused(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    """Each message names what is wrong."""
    with pytest.raises(InvalidInputError, match=message):
        built(tmp_path / "v", mixed_pipeline(), mixed_frame(ROWS), **options)


def test_one_class_before_the_hold_out_is_refused(tmp_path: Path) -> None:
    """The message says what to change."""
    frame = labelled([0, 1])
    frame["y"] = (frame.index >= 190).astype(int)
    with pytest.raises(InvalidInputError, match=r"hold one class only.*holdout=0"):
        built(tmp_path / "v", LogisticRegression(), frame, target="y")
