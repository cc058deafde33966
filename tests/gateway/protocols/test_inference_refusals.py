"""The Open Inference Protocol: what it refuses, in its own shape of errors."""

import json
import socket
import time
from typing import Any

import httpx
import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from support.gateway import TOKEN, Gateway
from support.oip import authorized, infer, rentals_inputs, speed_body, speed_inputs, tensor
from support.rentals import AWAY, IDLE, OTHER_TOKEN, RENTALS, SPEED

pytestmark = pytest.mark.slow

HEADER_LENGTH = "Inference-Header-Content-Length"


@pytest.mark.parametrize(
    ("model", "secret", "status", "message"),
    [
        (RENTALS, None, "401", "Send the application's token"),
        (RENTALS, "forged", "401", "Nobody knows this token"),
        (RENTALS, OTHER_TOKEN, "403", "is not for model 'rentals'"),
        ("nothing", TOKEN, "404", "There is no model 'nothing'"),
        (IDLE, TOKEN, "409", "'idle' has no champion"),
        (AWAY, TOKEN, "503", "No scorer of away version 1 answers now"),
    ],
)
def test_who_and_what_is_refused(
    client: Any, model: str, secret: str | None, status: str, message: str
) -> None:
    """Tokens, models and their states are those of the other verbs, in the protocol's shape."""
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    with pytest.raises(InferenceServerException, match=message) as caught:
        client.infer(model, rentals_inputs(), headers=headers)
    assert caught.value.status() == status
    assert not client.is_model_ready(model, headers=headers)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temp": None}, "rows[0].temp: is missing, and needed"),
        ({"wind": [1.0]}, "rows[0].wind: is unknown to 'rentals'"),
        ({"temp": ["warm"]}, "rows[0].temp: expected a number, got text"),
        ({"temp": [float("nan")]}, "rows[0].temp: expected a number, got null"),
        ({"temp": [float("inf")]}, "rows[0].temp: Infinity cannot be used"),
        ({"holiday": [0.5]}, "rows[0].holiday: expected an integer"),
        ({"holiday": np.array([2**63], np.uint64)}, "does not fit into 64 bits"),
        ({"dry": [1]}, "rows[0].dry: expected true or false"),
        ({"weathersit": ["hail"]}, "rows[0].weathersit: 'hail' is no known level"),
        ({"hour": ["2011-04-01T08:00:00"]}, "rows[0].hour: has no offset"),
        ({"hour": ["2999-01-01T00:00:00Z"]}, "rows[0].hour: is more than a day ahead"),
        ({"day": ["yesterday"]}, "rows[0].day: expected a date"),
        ({"temp": [0.1, 0.2]}, "Input 'temp' has shape [2]; send [n] or [n, 1], n = 1"),
        ({"temp": [[0.1, 0.2]]}, "Input 'temp' has shape [1, 2]"),
    ],
)
def test_a_bad_tensor_is_named(client: Any, changes: dict[str, Any], message: str) -> None:
    """A tensor's values are checked as rows are; the message names row and column."""
    with pytest.raises(InferenceServerException) as caught:
        client.infer(RENTALS, rentals_inputs(**changes), headers=authorized())
    assert caught.value.status() == "422"
    assert message in caught.value.message()


TWICE = [*speed_body()["inputs"], speed_body()["inputs"][0]]
NO_SHAPE = [{"name": "power", "shape": [], "datatype": "FP64", "data": [0.5]}]
NEGATIVE = [{"name": "power", "shape": [-1], "datatype": "FP64", "data": [0.5]}]
ODD_TYPE = [{"name": "power", "shape": [1], "datatype": "BF16", "data": [0.5]}]
SHORT = [{"name": "power", "shape": [2], "datatype": "FP64", "data": [0.5]}]
EMPTY = [{"name": "power", "shape": [0], "datatype": "FP64", "data": []}]
SHARED = [
    {"name": "power", "shape": [1], "datatype": "FP64", "parameters": {"shared_memory_region": "r"}}
]
NO_BYTES = [
    {"name": "power", "shape": [1], "datatype": "FP64", "parameters": {"binary_data_size": 8}}
]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"power=1", "This is no infer request: JSON is malformed"),
        (b"[" * 100_000, "This is no infer request"),
        (b"\xff\xfe", "This is no infer request"),
        ({}, "missing required field `inputs`"),
        ({"inputs": []}, "inputs: is empty"),
        ({"inputs": [{"name": "power"}]}, "`$.inputs[0]`"),
        ({"inputs": TWICE}, "Input 'power' is given twice"),
        ({"inputs": NO_SHAPE}, "Input 'power' has shape []; send [n] or [n, 1]"),
        ({"inputs": NEGATIVE}, "Input 'power' has shape [-1]"),
        ({"inputs": ODD_TYPE}, "Input 'power' has a datatype 'BF16'; known: BYTES, BOOL"),
        ({"inputs": SHORT}, "Input 'power' has shape [2] and 1 values"),
        ({"inputs": EMPTY}, "rows: is empty, send at least one"),
        ({"inputs": SHARED}, "the extension 'shared_memory_region' is not supported"),
        ({"inputs": NO_BYTES}, "0 bytes follow the JSON part, but its tensors claim 8"),
        (speed_body(outputs=[{"name": "size"}]), "There is no output 'size'. Known: label,"),
        (
            speed_body(outputs=[{"name": "label", "parameters": {"classification": 2}}]),
            "the extension 'classification' is not supported",
        ),
    ],
)
def test_a_request_that_is_none_is_refused(gateway: Gateway, body: Any, message: str) -> None:
    """Bodies that do not follow the protocol get 422 and a sentence."""
    response = infer(gateway, body)
    assert response.status_code == 422
    assert list(response.json()) == ["error"]
    assert message in response.json()["error"]


@pytest.mark.parametrize(
    ("size", "tail", "header", "message"),
    [
        (8, b"1234567", None, "7 bytes follow the JSON part, but its tensors claim 8"),
        (8, b"123456789", None, "9 bytes follow the JSON part, but its tensors claim 8"),
        (9, b"123456789", None, "Input 'power' holds bytes that are no FP64"),
        (16, b"0123456789abcdef", None, "Input 'power' has shape [1] and 2 values"),
        (-8, b"12345678", None, "-8 is no number of bytes"),
        ("x", b"12345678", None, "'x' is no number of bytes"),
        (8, b"12345678", "x", "'x' is no number of bytes"),
        (8, b"12345678", "99999", "This is no infer request"),
    ],
)
def test_bytes_that_do_not_fit_are_refused(
    gateway: Gateway, size: Any, tail: bytes, header: str | None, message: str
) -> None:
    """The binary part must be what the JSON part says."""
    one = {"name": "power", "shape": [1], "datatype": "FP64"}
    head = json.dumps({"inputs": [{**one, "parameters": {"binary_data_size": size}}]}).encode()
    response = infer(gateway, head + tail, **{HEADER_LENGTH: header or str(len(head))})
    assert response.status_code == 422
    assert message in response.json()["error"]


@pytest.mark.parametrize(
    "data", [b"\x05\x00\x00\x00warm", b"\x04\x00", b"\x02\x00\x00\x00\xff\xfe"]
)
def test_texts_that_are_none_are_refused(gateway: Gateway, data: bytes) -> None:
    """Each element of BYTES is a length and so many bytes of UTF-8."""
    parameters = {"binary_data_size": len(data)}
    one = {"name": "station", "shape": [1], "datatype": "BYTES", "parameters": parameters}
    head = json.dumps({"inputs": [one]}).encode()
    response = infer(gateway, head + data, RENTALS, **{HEADER_LENGTH: str(len(head))})
    assert response.status_code == 422
    assert "Input 'station' holds bytes that are no BYTES" in response.json()["error"]


def test_too_many_rows_are_refused(client: Any) -> None:
    """The limit of rows is that of predict."""
    inputs = [tensor(name, np.zeros(10_001)) for name in ("power", "weight")]
    with pytest.raises(InferenceServerException, match="More than 10000 rows") as caught:
        client.infer(SPEED, inputs, headers=authorized())
    assert caught.value.status() == "413"
    inputs = [tensor(name, np.zeros(10_000)) for name in ("power", "weight")]
    assert len(client.infer(SPEED, inputs, headers=authorized()).as_numpy("label")) == 10_000


def test_too_large_a_body_is_refused_in_the_protocols_shape(client: Any) -> None:
    """A body beyond the limit is refused before it is read, and Triton's client can say why."""
    inputs = [tensor("power", np.zeros(1_100_000))]
    with pytest.raises(InferenceServerException, match="larger than 8000000 bytes") as caught:
        client.infer(SPEED, inputs, headers=authorized())
    assert caught.value.status() == "413"


def test_compressed_bodies_are_refused(client: Any) -> None:
    """As by predict, and in the protocol's shape."""
    with pytest.raises(InferenceServerException, match="send the body uncompressed") as caught:
        client.infer(
            SPEED, speed_inputs(), headers=authorized(), request_compression_algorithm="gzip"
        )
    assert caught.value.status() == "415"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/repository/index", 404),
        ("GET", f"/v2/models/{SPEED}/config", 404),
        ("GET", f"/v2/models/{SPEED}/infer", 405),
        ("POST", f"/v2/models/{SPEED}", 405),
    ],
)
def test_other_paths_have_the_protocols_errors(
    gateway: Gateway, method: str, path: str, status: int
) -> None:
    """What is not there is said in the protocol's shape too."""
    response = httpx.request(method, gateway.url + path, headers=authorized())
    assert response.status_code == status
    assert isinstance(response.json()["error"], str)


def test_refusals_are_counted_by_model_and_reason(gateway: Gateway) -> None:
    """Also those of tensors that never became rows."""

    def counted() -> float:
        wanted = f'tiltyard_gateway_refusals_total{{model="{SPEED}",reason="wrong_tensor"}} '
        lines = httpx.get(f"{gateway.url}/metrics").text.splitlines()
        return sum(float(line.removeprefix(wanted)) for line in lines if line.startswith(wanted))

    before = counted()
    infer(gateway, {"inputs": SHORT})
    assert counted() == before + 1


def test_a_client_that_leaves_harms_nothing(gateway: Gateway, client: Any) -> None:
    """A request that ends in its middle leaves no traceback and no call."""
    address = ("127.0.0.1", gateway.port)
    head = f"POST /v2/models/{SPEED}/infer HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
    with socket.create_connection(address) as connection:
        connection.sendall(f"{head}Content-Length: 1000\r\n\r\n{{".encode())
        time.sleep(0.2)  # the handler waits for the rest by then
    assert client.infer(SPEED, speed_inputs(), headers=authorized()).as_numpy("label").size == 2
    assert "Traceback" not in gateway.log()
