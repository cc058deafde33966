"""Reading what a scorer answers: only what its version's signature allows is believed."""

from tiltyard.scoring.frames import (
    BatchError,
    BatchResult,
    Frame,
    Kind,
    ProtocolError,
    decode_error,
    decode_result,
)
from tiltyard.types.schema import Signature


class ResultReader:
    """Reads the results of one version.

    Args:
        signature: of the version.
    """

    def __init__(self, signature: Signature) -> None:
        classes = signature.output.classes
        self._classes = None if classes is None else frozenset(classes)
        self._columns = len(classes or ()) if signature.output.probabilities else 0

    def read(self, frame: Frame, n: int) -> BatchResult | BatchError:
        """Return the result of a batch of n rows, or the scorer's refusal.

        Raises:
            ProtocolError: it is neither, or not one of this version.
        """
        if frame.kind == Kind.ERROR:
            return _of_a_row(decode_error(frame.body), n)
        if frame.kind != Kind.RESULT:
            raise ProtocolError(f"it sent a frame of kind {frame.kind}")
        result = decode_result(frame.body, n)
        self._check(result)
        return result

    def _check(self, result: BatchResult) -> None:
        values, probabilities = result
        if self._classes is None:
            if type(values[0]) is not float:
                raise ProtocolError("it answered no doubles, but its version predicts numbers")
        elif not self._classes.issuperset(values):
            raise ProtocolError("it answered what is no class of its version")
        if (len(probabilities[0]) if probabilities else 0) != self._columns:
            raise ProtocolError("it answered not one probability a class")


def _of_a_row(error: BatchError, n: int) -> BatchError:
    if error.row is not None and not 0 <= error.row < n:
        raise ProtocolError(f"it blames row {error.row} of {n}")
    return error
