"""The verbs by name, as R calls them: Python's own, with R's tables."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from tiltyard.client import verbs
from tiltyard.client.connect import connect
from tiltyard.errors import InvalidInputError
from tiltyard.packaging.r.reading import RTable
from tiltyard.types.schema import ColumnType

Arguments = Mapping[str, Any]


def model_facts(model: str) -> Any:
    """Return a model as control knows it."""
    with connect() as control:
        return control.model(model)


def call_verb(name: str, arguments: Arguments, table: RTable | None) -> Any:
    """Return what a verb answers: a frame, a document, or a plain value.

    Raises:
        TiltyardError: whatever the verb raises.
    """
    if name == "log_model" and table is not None:
        from tiltyard.packaging.r.logging import log_model  # noqa: PLC0415  slow to import

        return log_model(table, **arguments)
    if table is not None:
        return _OF_TABLES[name](table.frame, arguments)
    return _OTHERS[name](**arguments)


def _write_history(frame: pd.DataFrame, arguments: Arguments) -> Any:
    return verbs.write_history(frame=_whole(frame, arguments["model"]), **arguments)


def _predict_model(frame: pd.DataFrame, arguments: Arguments) -> Any:
    model = arguments["model"]
    return verbs.predict_model(model, _whole(frame, model))


def _send_actuals(frame: pd.DataFrame, arguments: Arguments) -> Any:
    return verbs.send_actuals(arguments["model"], frame)


def _whole(frame: pd.DataFrame, model: str) -> pd.DataFrame:
    """Make integers of doubles where calls hold integers: R has none beyond 2^31."""
    doubles = [name for name in frame.columns if frame[name].dtype == "float64"]
    if not doubles:
        return frame
    with connect() as control:
        known = {m.name: m for m in control.models()}.get(model)
    if known is None:
        return frame
    schema = known.call_schema
    kinds = {c.name: c.type for c in schema.columns} | {schema.target: schema.target_type}
    wanted = [name for name in doubles if kinds.get(name) is ColumnType.INT64]
    return frame.assign(**{name: _integers(name, frame[name]) for name in wanted})


def _integers(name: str, series: "pd.Series[Any]") -> "pd.Series[Any]":
    known = series.dropna()
    if not (known == known.round()).all() or (known.abs() > 2**53).any():
        raise InvalidInputError(
            f"Column {name!r} of this model holds whole numbers up to 2^53, but here it holds "
            f"{known[(known != known.round()) | (known.abs() > 2**53)].iloc[0]!r}: round it.",
            column=name,
        )
    return series.astype("Int64")


def _read_lake(sql: str, params: Arguments | None = None) -> pd.DataFrame:
    from tiltyard.lake import read_lake  # noqa: PLC0415  an extra

    return read_lake(sql, params)


_OF_TABLES: dict[str, Callable[[pd.DataFrame, Arguments], Any]] = {
    "write_history": _write_history,
    "predict_model": _predict_model,
    "send_actuals": _send_actuals,
}

_OTHERS: dict[str, Callable[..., Any]] = {
    "read_lake": _read_lake,
    "read_history": verbs.read_history,
    "run_training": lambda pipeline, parameters, **options: verbs.run_training(
        pipeline, **options, **parameters
    ),
    "deploy_version": verbs.deploy_version,
    "promote_version": verbs.promote_version,
    "rollback": verbs.rollback,
    "retire_version": verbs.retire_version,
    "models": verbs.models,
    "versions": verbs.versions,
    "model_facts": model_facts,
}
