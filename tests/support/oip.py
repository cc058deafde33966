"""Requests of the Open Inference Protocol for the models of `support.rentals`."""

import json
from typing import Any

import httpx
import numpy as np
import tritonclient.http as triton
from tritonclient.utils import np_to_triton_dtype

from support.gateway import TOKEN, Gateway
from support.rentals import ROW, SPEED


def authorized() -> dict[str, str]:
    """Return the header with the token; a new dict, because Triton's client adds to it."""
    return {"Authorization": f"Bearer {TOKEN}"}


def tensor(name: str, values: Any, *, binary: bool = True) -> Any:
    """Return an input of Triton's client."""
    array = np.asarray(values)
    if array.dtype.kind == "U":
        array = array.astype(np.object_)
    made = triton.InferInput(name, array.shape, np_to_triton_dtype(array.dtype))
    made.set_data_from_numpy(array, binary_data=binary)
    return made


def rentals_inputs(rows: int = 1, **changes: Any) -> list[Any]:
    """Return the tensors of good rows, with some columns replaced; None leaves one out."""
    columns = {name: [value] * rows for name, value in ROW.items()} | changes
    return [tensor(name, values) for name, values in columns.items() if values is not None]


def speed_inputs(*, binary: bool = True) -> list[Any]:
    """Return the tensors of two rows, of shape [2, 1]."""
    return [
        tensor("power", [[0.9], [0.1]], binary=binary),
        tensor("weight", [[0.2], [0.7]], binary=binary),
    ]


def speed_body(**changes: Any) -> dict[str, Any]:
    """Return the JSON of a good request of two rows, with some members replaced."""
    power = {"name": "power", "shape": [2], "datatype": "FP64", "data": [0.9, 0.1]}
    weight = {"name": "weight", "shape": [2, 1], "datatype": "FP32", "data": [[0.25], [0.5]]}
    return {"inputs": [power, weight], **changes}


def infer(gateway: Gateway, body: Any, model: str = SPEED, **headers: str) -> httpx.Response:
    """Post a body by hand."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    url = f"{gateway.url}/v2/models/{model}/infer"
    return httpx.post(url, content=content, headers={**authorized(), **headers}, timeout=30)
