"""Metrics on a time-ordered hold-out."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from tiltyard.errors import InvalidInputError
from tiltyard.evaluation.metrics import metrics_for
from tiltyard.packaging.scores import score_known
from tiltyard.packaging.serving import serve
from tiltyard.packaging.signatures import Inputs
from tiltyard.packaging.tables import input_table
from tiltyard.packaging.targets import output_of
from tiltyard.scoring.engines.base import Scores
from tiltyard.scoring.engines.sklearn import SklearnEngine
from tiltyard.types.schema import Label, Signature, Task


def holdout_metrics(
    estimator: Any,
    inputs: Inputs,
    values: NDArray[Any],
    order: NDArray[np.int64],
    share: float,
    signature: Signature,
    *,
    form: str | None,
) -> dict[str, Any]:
    """Fit a clone on the earlier rows and return its metrics on the later ones.

    Args:
        estimator: fitted or not; it stays as it is.
        inputs: of all rows.
        values: the target of all rows.
        order: positions of the rows in the order of their time.
        share: of the rows that are held out; 0 for no metrics.
        signature: of the version.
        form: of the version's graph, if it has one; the clone is then served so too.

    Raises:
        InvalidInputError: the share leaves too little on one side.
    """
    if share == 0:
        return {}
    earlier, later = split(order, share)
    task = Task.REGRESSION if signature.output.classes is None else Task.CLASSIFICATION
    check_classes(values[earlier], task)
    fitted = clone(estimator).fit(inputs.frame.iloc[earlier], values[earlier])
    output = output_of(signature.output.name, task, fitted, values[earlier])
    own = signature.model_copy(update={"output": output})
    table = input_table(own, inputs.frame.iloc[later])
    served = serve(fitted, own, inputs.dtypes, table, form) if form else None
    engine = served.engine if served else SklearnEngine(fitted, own, inputs.dtypes)
    scores = score_known(engine, own, table)
    return metrics_of(signature, values[later], spread(scores, output.classes, signature))


def metrics_of(
    signature: Signature, actual: "NDArray[Any] | pd.Series[Any]", scores: Scores
) -> dict[str, Any]:
    """Return the metrics of predictions."""
    classes = signature.output.classes
    task = Task.REGRESSION if classes is None else Task.CLASSIFICATION
    return metrics_for(task, actual.tolist(), list(scores.values), scores.probabilities, classes)


def time_order(times: "pd.Series[Any] | None", rows: int) -> NDArray[np.int64]:
    """Return positions of rows by their time; without times the order in which they stand."""
    if times is None:
        return np.arange(rows, dtype=np.int64)
    return np.argsort(times.to_numpy(), kind="stable").astype(np.int64)


def split(order: NDArray[np.int64], share: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the earlier rows of an order, and the share of it that is held out.

    Raises:
        InvalidInputError: nothing is left on one side.
    """
    cut = len(order) - round(len(order) * share)
    if not 0 < cut < len(order):
        raise InvalidInputError(
            f"holdout={share} of {len(order)} rows leaves nothing on one side: give a share "
            "between 0 and 1, or 0 for no hold-out."
        )
    return order[:cut], order[cut:]


def check_classes(values: NDArray[Any], task: Task) -> None:
    """See that what a classifier learns from holds more than one class.

    Raises:
        InvalidInputError: it does not.
    """
    if task is Task.CLASSIFICATION and len(pd.unique(values)) == 1:
        raise InvalidInputError(
            f"The rows before the hold-out hold one class only ({values[0]!r}): give more history, "
            "a smaller holdout=…, or holdout=0 for no hold-out metrics."
        )


def spread(scores: Scores, classes: tuple[Label, ...] | None, signature: Signature) -> Scores:
    """Return scores with a probability for each of the signature's classes, 0 for unknown ones."""
    wanted = signature.output.classes
    if scores.probabilities is None or classes is None or wanted is None or classes == wanted:
        return scores
    # A class that first occurs in the hold-out had no chance in the clone's eyes.
    spread = np.zeros((len(scores.values), len(wanted)))
    spread[:, [wanted.index(c) for c in classes]] = scores.probabilities
    return Scores(scores.values, spread)
