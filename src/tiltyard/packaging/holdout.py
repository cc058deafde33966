"""Metrics on a time-ordered hold-out."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from tiltyard.packaging.judging import check_classes, metrics_of, split, spread
from tiltyard.packaging.scores import score_known
from tiltyard.packaging.serving import serve
from tiltyard.packaging.signatures import Inputs
from tiltyard.packaging.tables import input_table
from tiltyard.packaging.targets import output_of
from tiltyard.scoring.engines.sklearn import SklearnEngine
from tiltyard.types.schema import Signature, Task


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
