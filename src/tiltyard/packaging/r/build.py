"""Builds a version's folder from a model that R has fitted; signature and metrics are Python's."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from tiltyard import __version__
from tiltyard.errors import InvalidInputError
from tiltyard.packaging.calls import in_call_types
from tiltyard.packaging.columns import features_of, numbers_of, times_of
from tiltyard.packaging.dtypes import normalise
from tiltyard.packaging.facts import with_range
from tiltyard.packaging.folder import PREDICTIONS_FILE, seal
from tiltyard.packaging.golden import write_golden
from tiltyard.packaging.histograms import histograms
from tiltyard.packaging.judging import check_classes, metrics_of, split, spread, time_order
from tiltyard.packaging.options import Options
from tiltyard.packaging.probes import decide_unknown_levels
from tiltyard.packaging.scores import score_known
from tiltyard.packaging.signatures import Inputs, check_policies, infer_inputs
from tiltyard.packaging.tables import input_table
from tiltyard.packaging.targets import output_of, target_values
from tiltyard.scoring.engines.base import LoadError
from tiltyard.scoring.engines.r.engine import MODEL_FILE, REngine
from tiltyard.scoring.tables import pack_table, scores_columns, write_table
from tiltyard.types.registry import Provenance, VersionManifest
from tiltyard.types.schema import CallSchema, ColumnType, Signature, Task

EARLIER = "earlier"
"""Folder of the model that was fitted on the rows before the hold-out."""
CODE = "code"

R_TYPES = {
    ColumnType.BOOL: "logical",
    ColumnType.INT64: "integer",
    ColumnType.FLOAT64: "double",
    ColumnType.STRING: "character",
    ColumnType.CATEGORY: "factor",
    ColumnType.DATE: "Date",
    ColumnType.DATETIME: "POSIXct",
}


@dataclass(frozen=True)
class Fitted:
    """What R has fitted.

    Attributes:
        folder: holds ``model.rds``, perhaps ``code/``, and ``earlier/model.rds``.
        types: column → how R held it when it fitted.
        libraries: name → version of R and its packages.
    """

    folder: Path
    types: dict[str, str]
    libraries: dict[str, str]


def build_r_version(
    fitted: Fitted,
    folder: Path,
    frame: pd.DataFrame,
    options: Options,
    *,
    history: pd.DataFrame | None = None,
    calls: CallSchema | None = None,
    provenance: Provenance | None = None,
) -> VersionManifest:
    """Judge a fitted model and write its version.

    Args:
        fitted: by R.
        folder: to be made; its parent exists.
        frame: the rows it was fitted on.
        options: see there.
        history: the whole snapshot of which ``frame`` may be a part; by default ``frame``.
        calls: the model's call schema, whose types the inputs take.
        provenance: what is known of where it comes from.

    Raises:
        InvalidInputError: the frame, the model or an option cannot be used.
    """
    history = frame if history is None else history
    inputs = infer_inputs(frame[features_of(frame, options)])
    if calls is not None:
        inputs = in_call_types(inputs, calls)
    inputs = inputs._replace(dtypes=r_dtypes(inputs, fitted.types))
    task = _task(frame, options)
    values = target_values(frame, options.target, task)
    times = times_of(frame, options.event_time)
    folder.mkdir()
    _copy(fitted.folder, folder)
    draft = _Draft(options.model, task, inputs.dtypes)
    signature = _signature(draft, folder, inputs, values, options)
    rows = input_table(signature, history)
    with draft.engine(folder, signature) as engine:
        write_golden(folder, engine, signature, inputs.frame)
        past = score_known(engine, signature, rows)
    write_table(folder / PREDICTIONS_FILE, pa.table(scores_columns(signature.output, past)))
    order = time_order(times, len(frame))
    metrics = _holdout(draft, fitted, inputs, values, order, options.holdout, signature)
    truth = normalise(options.target, history[options.target]).series
    return seal(
        folder,
        model=options.model,
        task=task,
        language="r",
        engine=REngine.name,
        signature=signature,
        dtypes=inputs.dtypes,
        description=options.description,
        parameters=dict(options.parameters or {}),
        metrics=metrics,
        history_metrics=metrics_of(signature, truth, past),
        histograms=histograms(numbers_of(inputs, signature, values)),
        provenance=with_range(provenance or Provenance(), times),
        libraries={**fitted.libraries, "tiltyard": __version__},
        created_at=datetime.now(UTC),
    )


def r_dtypes(inputs: Inputs, types: dict[str, str]) -> dict[str, str]:
    """Return how a scorer has to hold each input, so that the model sees what it was fitted on.

    A whole number stays a double if it was one, and text that calls hold as a category stays text.
    """
    found = {}
    for column in inputs.columns:
        was = types[column.name]
        kept = (was == "double" and column.type is ColumnType.INT64) or (
            was == "character" and column.type is ColumnType.CATEGORY
        )
        found[column.name] = was if kept else R_TYPES[column.type]
    return found


@dataclass(frozen=True)
class _Draft:
    """What a manifest says before there is one."""

    model: str
    task: Task
    dtypes: dict[str, str]

    @contextmanager
    def engine(self, folder: Path, signature: Signature) -> Iterator[REngine]:
        """Load a model into an engine, whose workers end with the block."""
        manifest = VersionManifest(
            model=self.model,
            task=self.task,
            language="r",
            engine=REngine.name,
            signature=signature,
            dtypes=self.dtypes,
            files={},
            created_at=datetime.now(UTC),
        )
        engine = REngine(folder, manifest, workers=1)
        try:
            yield engine
        finally:
            engine.close()


def _task(frame: pd.DataFrame, options: Options) -> Task:
    if options.task is not None:
        return Task(options.task)
    if options.target in frame.columns:
        kind = normalise(options.target, frame[options.target]).kind
        numbers = {ColumnType.INT64, ColumnType.FLOAT64}
        return Task.REGRESSION if kind in numbers else Task.CLASSIFICATION
    raise InvalidInputError(f"The data has no column {options.target!r} to predict.")


def _copy(source: Path, folder: Path) -> None:
    shutil.copyfile(source / MODEL_FILE, folder / MODEL_FILE)
    if (source / CODE).is_dir():
        shutil.copytree(source / CODE, folder / CODE)


def _signature(
    draft: _Draft, folder: Path, inputs: Inputs, values: NDArray[Any], options: Options
) -> Signature:
    """Return the signature, with probabilities if the model gives any."""
    given = check_policies(inputs.columns, options.unknown_levels or {})
    output = output_of(options.target, draft.task, None, values)
    plain = Signature(inputs=inputs.columns, output=output)
    whole = np.flatnonzero(inputs.frame.notna().all(axis=1))[:1]
    row = input_table(plain, inputs.frame.iloc[whole if len(whole) else [0]])
    plain = _with_probabilities(draft, folder, plain, row)
    with draft.engine(folder, plain) as engine:
        return decide_unknown_levels(engine.following, plain, row, given)


def _with_probabilities(
    draft: _Draft, folder: Path, signature: Signature, row: pa.Table
) -> Signature:
    batch = pack_table(signature, row)
    if draft.task is Task.CLASSIFICATION:
        output = signature.output.model_copy(update={"probabilities": True})
        wanted = signature.model_copy(update={"output": output})
        with suppress(Exception), draft.engine(folder, wanted) as engine:
            engine.score(*batch)
            return wanted
    try:
        with draft.engine(folder, signature) as engine:
            engine.score(*batch)
    except LoadError:
        raise
    except Exception as error:
        # What a model in R raises may be anything; here it was given a row of its own training.
        raise InvalidInputError(
            f"The model cannot score a row that it was fitted on: {error}"
        ) from error
    return signature


def _holdout(
    draft: _Draft,
    fitted: Fitted,
    inputs: Inputs,
    values: NDArray[Any],
    order: NDArray[np.int64],
    share: float,
    signature: Signature,
) -> dict[str, Any]:
    """Return the metrics on the later rows of the model that was fitted on the earlier ones."""
    if share == 0:
        return {}
    earlier, later = split(order, share)
    check_classes(values[earlier], draft.task)
    output = output_of(signature.output.name, draft.task, None, values[earlier])
    output = output.model_copy(update={"probabilities": signature.output.probabilities})
    own = signature.model_copy(update={"output": output})
    table = input_table(own, inputs.frame.iloc[later])
    with draft.engine(fitted.folder / EARLIER, own) as engine:
        scores = score_known(engine, own, table)
    return metrics_of(signature, values[later], spread(scores, output.classes, signature))
