"""Engines in this process: what the estimator sees, and what they refuse."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from support.models import mixed_frame, rows_of, wide_frame
from tiltyard.errors import NotFoundError
from tiltyard.scoring import frames
from tiltyard.scoring.batches import BatchScorer
from tiltyard.scoring.engines import engine_class, load_engine
from tiltyard.scoring.engines.base import LoadError, Scores
from tiltyard.scoring.engines.pandas_frames import FrameBuilder
from tiltyard.scoring.engines.sklearn import SklearnEngine
from tiltyard.scoring.folder import read_manifest
from tiltyard.scoring.frames import Frame, FrameBuffer, Kind
from tiltyard.scoring.golden import GoldenError, first_difference, read_golden, repeat_golden
from tiltyard.scoring.rows import RowError, pack_rows
from tiltyard.types.schema import Column, ColumnType, Output, Signature, UnknownLevel

AT = datetime(2011, 4, 1, 22, 30, tzinfo=UTC)


def signature(*columns: Column) -> Signature:
    """Return a regression's signature of these inputs."""
    return Signature(inputs=columns, output=Output(name="y", type=ColumnType.FLOAT64))


def built(column: Column, dtype: str, values: list[Any]) -> "pd.Series[Any]":
    """Return the column that an estimator sees for these values."""
    wanted = signature(column)
    rows = [{column.name: value} for value in values]
    frame = FrameBuilder(wanted, {column.name: dtype}).build(len(rows), *pack_rows(wanted, rows))
    return frame[column.name]


def category(unknown: UnknownLevel, *, nullable: bool = True) -> Column:
    """Return a category of the levels a and b."""
    return Column(
        name="c", type=ColumnType.CATEGORY, levels=("a", "b"), unknown=unknown, nullable=nullable
    )


def test_an_estimator_sees_the_dtypes_of_training() -> None:
    """Each dtype that a manifest can name is built from plain values."""
    plain: dict[str, tuple[ColumnType, list[Any]]] = {
        "float64": (ColumnType.FLOAT64, [1.5, None]),
        "int64": (ColumnType.INT64, [2**53 + 1, 0]),
        "bool": (ColumnType.BOOL, [True, False]),
        "str": (ColumnType.STRING, ["a", None]),
        "datetime64[us, UTC]": (ColumnType.DATETIME, [AT, None]),
        "datetime64[us, Europe/Berlin]": (ColumnType.DATETIME, [AT, None]),
    }
    for dtype, (kind, values) in plain.items():
        series = built(Column(name="c", type=kind, nullable=True), dtype, values)
        assert str(series.dtype) == dtype
        assert series.isna().tolist() == [v is None for v in values]
        assert series[0] == values[0]


def test_columns_stand_in_the_order_of_the_signature() -> None:
    """Doubles and others are sent apart but come together as they were."""
    kinds = [ColumnType.INT64, ColumnType.FLOAT64, ColumnType.STRING, ColumnType.FLOAT64]
    wanted = signature(*[Column(name=f"c{i}", type=k) for i, k in enumerate(kinds)])
    dtypes = {"c0": "int64", "c1": "float64", "c2": "str", "c3": "float64"}
    row = {"c0": 1, "c1": 2.0, "c2": "x", "c3": 4.0}
    frame = FrameBuilder(wanted, dtypes).build(1, *pack_rows(wanted, [row]))
    assert frame.to_dict("records") == [row]


def test_missing_integers_and_bools_are_doubles() -> None:
    """As at training, where a column had missing values."""
    for kind, values in ((ColumnType.INT64, [3, None]), (ColumnType.BOOL, [True, None])):
        series = built(Column(name="c", type=kind, nullable=True), "float64", values)
        assert series.dtype == np.float64
        assert series[0] == values[0]
        assert np.isnan(series[1])


def test_dates_are_dates() -> None:
    """An estimator sees `datetime.date`, or None."""
    series = built(
        Column(name="c", type=ColumnType.DATE, nullable=True), "date", ["2011-04-01", None]
    )
    assert series.tolist() == [date(2011, 4, 1), None]


@pytest.mark.parametrize("dtype", ["str", "category"])
def test_unknown_levels_pass_or_are_missing(dtype: str) -> None:
    """`pass` shows text as it is, but a pandas category holds no other level."""
    missing = built(category(UnknownLevel.MISSING), dtype, ["b", "z", None])
    assert missing.isna().tolist() == [False, True, True]
    passed = built(category(UnknownLevel.PASS), dtype, ["b", "z", None])
    assert passed.isna().tolist() == [False, dtype == "category", True]
    assert passed[0] == "b"
    assert str(passed.dtype) == dtype


def test_a_refused_level_names_its_row() -> None:
    """`refuse` is kept by the engine too, not by the gateway alone."""
    with pytest.raises(RowError, match="Row 1: column 'c' has no level 'z'"):
        built(category(UnknownLevel.REFUSE), "str", ["a", "z"])


@pytest.mark.parametrize(
    ("column", "dtype"),
    [
        (Column(name="c", type=ColumnType.INT64), "int64"),
        (Column(name="c", type=ColumnType.FLOAT64), "float64"),
        (Column(name="c", type=ColumnType.STRING), "str"),
        (category(UnknownLevel.PASS, nullable=False), "str"),
    ],
)
def test_a_missing_value_where_none_was_names_its_row(column: Column, dtype: str) -> None:
    """What training never saw missing is not guessed at."""
    with pytest.raises(RowError, match="Row 0: column 'c' is missing"):
        built(column, dtype, [None])


@pytest.mark.parametrize(
    ("column", "dtype", "value"),
    [
        (Column(name="c", type=ColumnType.INT64), "int64", "7"),
        (Column(name="c", type=ColumnType.INT64), "int64", True),
        (Column(name="c", type=ColumnType.BOOL), "bool", 1),
        (Column(name="c", type=ColumnType.STRING), "str", 1),
        (Column(name="c", type=ColumnType.DATETIME), "datetime64[us, UTC]", "2011-04-01"),
    ],
)
def test_a_client_that_sends_another_type_is_refused(
    column: Column, dtype: str, value: object
) -> None:
    """An engine does not trust that rows were checked before."""
    with pytest.raises(RowError, match="holds no"):
        FrameBuilder(signature(column), {"c": dtype}).build(1, b"", [[value]])


def test_a_native_engine_repeats_golden_rows_to_the_bit(mixed: Path) -> None:
    """Loaded from its file, it gives the training process's doubles."""
    manifest = read_manifest(mixed)
    engine = load_engine("sklearn", mixed, manifest)
    golden = read_golden(mixed, manifest.signature)
    repeat_golden(engine, golden)
    scores = engine.score(*golden.batch)
    assert np.asarray(scores.values).tobytes() == np.asarray(golden.scores.values).tobytes()
    assert golden.batch.n >= 100


def test_engines_agree_on_rows_they_never_saw(mixed: Path, logistic: Path) -> None:
    """ONNX and native predictions differ by less than 1e-5."""
    for folder, frame in ((mixed, mixed_frame(50, 77)), (logistic, wide_frame(50, 77))):
        manifest = read_manifest(folder)
        batch = pack_rows(manifest.signature, rows_of(frame))
        native, graph = (
            load_engine(e, folder, manifest).score(50, *batch) for e in ("sklearn", "onnx")
        )
        assert first_difference(native, graph, exact=False) is None


def test_another_last_bit_is_refused_by_a_native_engine_only(mixed: Path) -> None:
    """A native engine is held to the bit, ONNX to 1e-5."""
    manifest = read_manifest(mixed)
    golden = read_golden(mixed, manifest.signature)
    values = np.array(golden.scores.values, dtype=np.float64)
    values[17] = np.nextafter(values[17], np.inf)
    spoiled = golden._replace(scores=Scores(values))
    repeat_golden(load_engine("onnx", mixed, manifest), spoiled)
    with pytest.raises(GoldenError, match="row 17 is"):
        repeat_golden(load_engine("sklearn", mixed, manifest), spoiled)
    values[17] *= 1.0001
    with pytest.raises(GoldenError, match="row 17 is"):
        repeat_golden(load_engine("onnx", mixed, manifest), spoiled)


def test_labels_of_another_type_differ() -> None:
    """True is not 1, although Python says they are equal."""
    for exact in (True, False):
        assert first_difference(Scores([1]), Scores([True]), exact=exact)
        assert first_difference(Scores(["a"]), Scores(["a"]), exact=exact) is None


def test_an_unknown_engine_lists_those_there_are() -> None:
    """The message names what could have been meant."""
    with pytest.raises(NotFoundError, match=r"no engine 'cobol'\. Known: onnx, r, sklearn"):
        engine_class("cobol")


def test_a_version_without_a_graph_says_why(mixed: Path, tmp_path: Path) -> None:
    """Asking for ONNX where there is none repeats the reason in the manifest."""
    manifest = read_manifest(mixed).model_copy(update={"engine_note": "it has dates"})
    with pytest.raises(LoadError, match=r"has no model.onnx: it has dates"):
        load_engine("onnx", tmp_path, manifest)
    with pytest.raises(LoadError, match=r"model.joblib cannot be loaded"):
        load_engine("sklearn", tmp_path, manifest)


def answer_of(engine: SklearnEngine, wanted: Signature, rows: list[dict[str, Any]]) -> Frame:
    """Return the frame that answers a batch."""
    scorer = BatchScorer(engine, wanted)
    packed = pack_rows(wanted, rows)
    request = FrameBuffer().feed(frames.encode_batch(5, len(rows), *packed))[0]
    (answer,) = FrameBuffer().feed(scorer.answer(request.request_id, request.body))
    return answer


@pytest.mark.parametrize("bad", [0, 1, 6, 7, 12])
def test_the_row_that_an_estimator_cannot_score_is_found(bad: int) -> None:
    """A batch for which an estimator raises is halved until the row is alone."""
    frame = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0]})
    estimator = LogisticRegression().fit(frame, [0, 0, 1, 1])
    output = Output(name="y", type=ColumnType.INT64, classes=(0, 1), probabilities=True)
    column = Column(name="a", type=ColumnType.FLOAT64, nullable=True)
    wanted = Signature(inputs=(column,), output=output)
    rows: list[dict[str, Any]] = [{"a": 1.0} for _ in range(13)]
    rows[bad]["a"] = None
    answer = answer_of(SklearnEngine(estimator, wanted, {"a": "float64"}), wanted, rows)
    assert answer.kind == Kind.ERROR
    error = frames.decode_error(answer.body)
    assert error.row == bad
    assert "NaN" in error.message


def test_a_batch_of_which_no_row_fails_alone_names_none() -> None:
    """An estimator that takes few rows at a time is not blamed on one of them."""

    class Few(LinearRegression):  # type: ignore[misc]  # scikit-learn has no types
        def predict(self, rows: pd.DataFrame) -> Any:
            if len(rows) > 2:
                raise ValueError("two at a time")
            return super().predict(rows)

    wanted = signature(Column(name="a", type=ColumnType.FLOAT64))
    estimator = Few().fit(pd.DataFrame({"a": [0.0, 1.0]}), [0.0, 1.0])
    answer = answer_of(SklearnEngine(estimator, wanted, {"a": "float64"}), wanted, [{"a": 1.0}] * 4)
    assert frames.decode_error(answer.body).row is None
    assert "two at a time" in frames.decode_error(answer.body).message
