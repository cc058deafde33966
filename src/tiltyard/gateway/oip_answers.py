"""Answers of the Open Inference Protocol: the target, its probabilities, the ids for actuals."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tiltyard.gateway.oip_tensors import BYTES, datatype, pack
from tiltyard.gateway.table import RoutedModel
from tiltyard.gateway.tickets import PredictAnswer
from tiltyard.types.schema import Signature

PREDICTION_ID = "prediction_id"

_encode = msgspec.json.encode


class OutputTensor(msgspec.Struct, omit_defaults=True):
    """An output as it stands in metadata and answers; a shape of -1 stands for the rows."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, Any] | None = None
    data: Sequence[Any] | None = None


def outputs_of(signature: Signature) -> dict[str, OutputTensor]:
    """Return the outputs of a version: target, ``<target>_probabilities``, ``prediction_id``."""
    output = signature.output
    target = OutputTensor(output.name, datatype(output.type), [-1])
    probabilities = OutputTensor(
        f"{output.name}_probabilities", "FP64", [-1, len(output.classes or ())]
    )
    ids = OutputTensor(PREDICTION_ID, BYTES, [-1])
    tensors = (target, probabilities, ids) if output.probabilities else (target, ids)
    return {tensor.name: tensor for tensor in tensors}


def write_answer(
    model: RoutedModel,
    outputs: Mapping[str, OutputTensor],
    wanted: Mapping[str, bool],
    answer: PredictAnswer,
    request_id: str | None,
) -> tuple[bytes, int | None]:
    """Return the body of an answer, and the length of its JSON part if binary follows.

    The probabilities' parameter ``classes`` is a JSON list: their names, in order.

    Args:
        model: that answered.
        outputs: of the version that answered.
        wanted: name of each output to write → whether as bytes.
        answer: the core's.
        request_id: the client's own, sent back.
    """
    parts: list[bytes] = []
    shown = []
    for name, binary in wanted.items():
        values, parameters = _values(model, outputs[name], answer)
        if binary:
            parts.append(pack(outputs[name].datatype, values))
            parameters["binary_data_size"] = len(parts[-1])
        shape = [len(answer.predictions), *outputs[name].shape[1:]]
        data = None if binary else values
        shown.append(OutputTensor(name, outputs[name].datatype, shape, parameters or None, data))
    head: dict[str, Any] = {"model_name": answer.model, "model_version": str(answer.version)}
    if request_id is not None:
        head["id"] = request_id
    text = _encode({**head, "outputs": shown})
    return (text + b"".join(parts), len(text)) if parts else (text, None)


def _values(
    model: RoutedModel, output: OutputTensor, answer: PredictAnswer
) -> tuple[list[Any], dict[str, Any]]:
    predictions = answer.predictions
    if output.name == PREDICTION_ID:
        return [p.id for p in predictions], {}
    if len(output.shape) == 1:
        return [p.value for p in predictions], {}
    flat = [(p.probabilities or {})[name] for p in predictions for name in model.classes]
    return flat, {"classes": _encode(model.classes).decode()}
