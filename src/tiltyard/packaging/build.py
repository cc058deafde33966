"""Builds a version's folder from an estimator and a frame."""

import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from tiltyard.errors import InvalidInputError
from tiltyard.packaging.calls import in_call_types
from tiltyard.packaging.code import check_modules, copy_code
from tiltyard.packaging.columns import features_of, numbers_of, times_of
from tiltyard.packaging.dtypes import normalise
from tiltyard.packaging.facts import libraries, plain_parameters, with_range
from tiltyard.packaging.folder import PREDICTIONS_FILE, seal
from tiltyard.packaging.golden import golden_rows, write_golden
from tiltyard.packaging.histograms import histograms
from tiltyard.packaging.holdout import holdout_metrics
from tiltyard.packaging.judging import metrics_of, time_order
from tiltyard.packaging.options import Options
from tiltyard.packaging.probes import decide_unknown_levels
from tiltyard.packaging.scores import score_known
from tiltyard.packaging.serving import Served, serve
from tiltyard.packaging.signatures import Inputs, check_policies, infer_inputs
from tiltyard.packaging.tables import input_table
from tiltyard.packaging.targets import output_of, target_values, task_of
from tiltyard.scoring.engines import onnx as onnx_engine
from tiltyard.scoring.engines import sklearn as sklearn_engine
from tiltyard.scoring.engines.base import Scores
from tiltyard.scoring.engines.sklearn import SklearnEngine, plain_label
from tiltyard.scoring.golden import first_difference
from tiltyard.scoring.tables import scores_columns, write_table
from tiltyard.types.registry import Provenance, VersionManifest
from tiltyard.types.schema import CallSchema, ColumnType, Signature, Task


def build_version(
    folder: Path,
    estimator: Any,
    frame: pd.DataFrame,
    options: Options,
    *,
    history: pd.DataFrame | None = None,
    calls: CallSchema | None = None,
    provenance: Provenance | None = None,
) -> VersionManifest:
    """Fit, judge and write a version.

    Args:
        folder: to be made; its parent exists.
        estimator: a scikit-learn regressor, classifier or pipeline of one.
        frame: the rows to learn from.
        options: see there.
        history: the whole snapshot of which ``frame`` may be a part; its predictions are written,
            one a row. By default ``frame``.
        calls: the model's call schema, whose types the inputs take.
        provenance: what is known of where it comes from.

    Raises:
        InvalidInputError: the frame, the estimator or an option cannot be used.
    """
    task = task_of(estimator, options.task)
    frame = frame.reset_index(drop=True)
    history = frame if history is None else history
    inputs = infer_inputs(frame[features_of(frame, options, _named(estimator))])
    if calls is not None:
        inputs = in_call_types(inputs, calls)
    values = target_values(frame, options.target, task)
    times = times_of(frame, options.event_time)
    fitted = _fitted(estimator, inputs.frame, values, refit=options.refit)
    folder.mkdir()
    check_modules(fitted, copy_code(options.code, folder / sklearn_engine.CODE))
    signature = _signature(fitted, inputs, values, task, options)
    rows = input_table(signature, history)
    served = serve(fitted, signature, inputs.dtypes, rows)
    golden = write_golden(folder, served.native, signature, inputs.frame)
    if not options.refit:
        _check_given(estimator, frame, inputs, golden, signature)
    _write_models(folder, fitted, served)
    past = score_known(served.engine, signature, rows)
    write_table(folder / PREDICTIONS_FILE, pa.table(scores_columns(signature.output, past)))
    order = time_order(times, len(frame))
    form = served.graph.form if served.graph else None
    metrics = holdout_metrics(
        estimator, inputs, values, order, options.holdout, signature, form=form
    )
    truth = normalise(options.target, history[options.target]).series
    return seal(
        folder,
        model=options.model,
        task=task,
        language="python",
        engine=served.engine.name,
        engine_note=served.note,
        signature=signature,
        dtypes=inputs.dtypes,
        description=options.description,
        parameters=plain_parameters(estimator, options.parameters),
        metrics=metrics,
        history_metrics=metrics_of(signature, truth, past),
        histograms=histograms(numbers_of(inputs, signature, values)),
        provenance=with_range(provenance or Provenance(), times),
        libraries=libraries(),
        created_at=datetime.now(UTC),
    )


def _named(estimator: Any) -> list[str] | None:
    names = getattr(estimator, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def _fitted(estimator: Any, inputs: pd.DataFrame, values: NDArray[Any], *, refit: bool) -> Any:
    if refit:
        return clone(estimator).fit(inputs, values)
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        raise InvalidInputError(
            "refit=False keeps the estimator as it is, but it is not fitted: fit it, or leave "
            "refit out."
        ) from None
    return copy.deepcopy(estimator)


def _signature(
    fitted: Any, inputs: Inputs, values: NDArray[Any], task: Task, options: Options
) -> Signature:
    given = check_policies(inputs.columns, options.unknown_levels or {})
    output = output_of(options.target, task, fitted, values)
    plain = Signature(inputs=inputs.columns, output=output)
    row = input_table(plain, inputs.frame.iloc[:1])
    return decide_unknown_levels(
        lambda signature: SklearnEngine(fitted, signature, inputs.dtypes), plain, row, given
    )


def _check_given(
    estimator: Any, frame: pd.DataFrame, inputs: Inputs, golden: Scores, signature: Signature
) -> None:
    rows = golden_rows(inputs.frame, signature.inputs)
    own = np.asarray(estimator.predict(frame[list(inputs.frame.columns)].iloc[rows]))
    numbers = signature.output.type is ColumnType.FLOAT64
    made = Scores(own.astype(np.float64) if numbers else [plain_label(v) for v in own.tolist()])
    if difference := first_difference(made, Scores(golden.values), exact=False):
        raise InvalidInputError(
            "The fitted estimator predicts otherwise once its inputs have the signature's types "
            f"({difference}): leave refit=False out, or fit it on float64, int64, bool, text and "
            "categories only."
        )


def _write_models(folder: Path, fitted: Any, served: Served) -> None:
    joblib.dump(fitted, folder / sklearn_engine.MODEL_FILE)
    if served.graph is not None:
        (folder / onnx_engine.MODEL_FILE).write_bytes(served.graph.model)
