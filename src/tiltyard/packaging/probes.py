"""Tries what an estimator makes of levels it never saw."""

import warnings
from collections.abc import Callable, Mapping

import pyarrow as pa

from tiltyard.errors import InvalidInputError
from tiltyard.scoring.engines.base import Engine
from tiltyard.scoring.tables import pack_table
from tiltyard.types.schema import ColumnType, Signature, UnknownLevel

UNSEEN = "\N{REPLACEMENT CHARACTER} never seen in training"


def decide_unknown_levels(
    engine_for: Callable[[Signature], Engine],
    signature: Signature,
    row: pa.Table,
    given: Mapping[str, UnknownLevel],
) -> Signature:
    """Return the signature with the policy of each category column.

    Where none is given it is `pass` if the estimator copes with a level it never saw, else
    `refuse`. An estimator that was given a pandas category copes if it copes with a missing
    value, for pandas holds no other level.

    Args:
        engine_for: makes an engine of the estimator that follows a signature.
        signature: whose policies are to be decided.
        row: one row of the training, as a table of inputs.
        given: column → policy, as the user wants it.

    Raises:
        InvalidInputError: the estimator does not cope with a policy that was given.
    """
    policies = dict(given)
    for name in [c.name for c in signature.inputs if c.type is ColumnType.CATEGORY]:
        wanted = with_policies(signature, {name: given.get(name, UnknownLevel.PASS)})
        reason = _reason(engine_for(wanted), wanted, row, name)
        if name in given and given[name] is not UnknownLevel.REFUSE and reason:
            raise _does_not_cope(name, given[name], reason)
        policies.setdefault(name, UnknownLevel.REFUSE if reason else UnknownLevel.PASS)
    return with_policies(signature, policies)


def with_policies(signature: Signature, policies: Mapping[str, UnknownLevel]) -> Signature:
    """Return the signature with these policies for unknown levels."""
    columns = tuple(
        c.model_copy(update={"unknown": policies[c.name]}) if c.name in policies else c
        for c in signature.inputs
    )
    return signature.model_copy(update={"inputs": columns})


def unseen_rows(signature: Signature, row: pa.Table) -> list[pa.Table]:
    """Return for each category that lets them through a row with a level never seen."""
    return [
        _with_level(signature, row, c.name, UNSEEN)
        for c in signature.inputs
        if c.type is ColumnType.CATEGORY and c.unknown is not UnknownLevel.REFUSE
    ]


def _does_not_cope(name: str, policy: UnknownLevel, reason: str) -> InvalidInputError:
    return InvalidInputError(
        f"unknown_levels gives {name!r} {policy.value!r}, but the estimator does not cope with it "
        f"({reason}): let an encoder in its pipeline ignore unknown levels, or choose 'refuse'.",
        column=name,
    )


def _reason(engine: Engine, signature: Signature, row: pa.Table, name: str) -> str | None:
    with warnings.catch_warnings():
        # An encoder that ignores unknown levels says so; here that is the very question.
        warnings.simplefilter("ignore")
        try:
            scores = engine.score(*pack_table(signature, _with_level(signature, row, name, UNSEEN)))
        except Exception as error:
            return str(error).strip().split("\n", maxsplit=1)[0]
    value = scores.values[0]
    missing = value is None or value != value  # noqa: PLR0124  NaN
    return "it predicts nothing" if missing else None


def _with_level(signature: Signature, row: pa.Table, name: str, level: str) -> pa.Table:
    index = [c.name for c in signature.inputs].index(name)
    return row.set_column(index, name, pa.array([level], pa.string()))
