"""Asks a running scorer who it is and to repeat the golden rows over its socket."""

from pathlib import Path

import numpy as np

from tiltyard.errors import IntegrityError, InvalidInputError
from tiltyard.scoring.client import ScorerClient
from tiltyard.scoring.engines import EXACT
from tiltyard.scoring.engines.base import Scores
from tiltyard.scoring.folder import read_manifest
from tiltyard.scoring.frames import BatchResult
from tiltyard.scoring.golden import first_difference, read_golden
from tiltyard.types.schema import ColumnType, Output


def probe(endpoint: str, folder: Path, timeout: float = 30.0, uid: int | None = None) -> str | None:
    """Return why a scorer must be refused; None if it repeats the golden rows.

    Args:
        endpoint: where it listens.
        folder: the version's, from the artifact store.
        timeout: seconds for each answer.
        uid: owner of its socket, by default this process's user.

    Raises:
        UnavailableError: it does not listen, or went away.
        TimedOutError: it did not answer in time.
    """
    try:
        signature = read_manifest(folder).signature
        golden = read_golden(folder, signature)
        with ScorerClient(endpoint, timeout, uid=uid) as client:
            if client.hello.signature != signature.digest:
                return f"The scorer serves another signature, of model {client.hello.model!r}."
            result = client.batch(*golden.batch)
            exact = client.hello.engine in EXACT
    except (IntegrityError, InvalidInputError) as error:
        return error.message
    found = _scores(signature.output, result)
    difference = first_difference(golden.scores, found, exact=exact)
    return difference and f"The scorer does not repeat the golden rows: {difference}."


def _scores(output: Output, result: BatchResult) -> Scores:
    numbers = output.type is ColumnType.FLOAT64
    values = np.array(result.values, dtype=np.float64) if numbers else result.values
    if result.probabilities is None:
        return Scores(values)
    return Scores(values, np.array(result.probabilities, dtype=np.float64))
