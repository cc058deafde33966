"""What a version is to be made of and how."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tiltyard.packaging.code import Code
from tiltyard.types.schema import Task


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `log_model`, complete.

    Attributes:
        model: name of the model.
        target: column to predict.
        task: by default what the estimator does.
        event_time: column of the rows' times; without one rows are in the order of their time.
        features: the inputs; by default those a fitted estimator names, else all columns but
            target and event time.
        parameters: to be shown; by default the estimator's.
        holdout: share of the latest rows that metrics are computed on; 0 for none.
        refit: False keeps a fitted estimator as it is.
        code: modules and paths that travel with the version.
        unknown_levels: category → policy; by default probed.
        description: a text for people.
    """

    model: str
    target: str
    task: Task | str | None = None
    event_time: str | None = None
    features: Sequence[str] | None = None
    parameters: Mapping[str, Any] | None = None
    holdout: float = 0.2
    refit: bool = True
    code: Iterable[Code] = ()
    unknown_levels: Mapping[str, str] | None = None
    description: str = ""
