"""The Open Inference Protocol: what its calls answer, by Triton's HTTP client and by hand."""

import json
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from support.gateway import Gateway
from support.oip import authorized, infer, rentals_inputs, speed_body, speed_inputs, tensor
from support.rentals import RENTALS, ROW, SPEED
from tiltyard.types.records import PredictionRecord

pytestmark = pytest.mark.slow


def predictions(gateway: Gateway) -> list[PredictionRecord]:
    """Return the predictions that are on disk."""
    return [r for r in gateway.records() if isinstance(r, PredictionRecord)]


def test_the_server_tells_of_itself_without_a_token(client: Any) -> None:
    """Health and metadata of the server need no token."""
    assert client.is_server_live()
    assert client.is_server_ready()
    metadata = client.get_server_metadata()
    assert metadata["name"] == "tiltyard"
    assert metadata["extensions"] == ["binary_tensor_data"]


@pytest.mark.parametrize("version", ["", "1"])
def test_a_model_describes_its_tensors(client: Any, version: str) -> None:
    """Inputs are the columns of a call, outputs are named after the target."""
    metadata = client.get_model_metadata(RENTALS, version, headers=authorized())
    assert metadata["versions"] == ["1"]
    assert {t["name"]: t["datatype"] for t in metadata["inputs"]} == {
        "temp": "FP64",
        "weathersit": "BYTES",
        "holiday": "INT64",
        "hour": "BYTES",
        "windspeed": "FP64",
        "station": "BYTES",
        "day": "BYTES",
        "dry": "BOOL",
    }
    assert metadata["outputs"] == [
        {"name": "cnt", "datatype": "FP64", "shape": [-1]},
        {"name": "prediction_id", "datatype": "BYTES", "shape": [-1]},
    ]
    outputs = client.get_model_metadata(SPEED, headers=authorized())["outputs"]
    assert [(t["name"], t["datatype"], t["shape"]) for t in outputs] == [
        ("label", "BYTES", [-1]),
        ("label_probabilities", "FP64", [-1, 2]),
        ("prediction_id", "BYTES", [-1]),
    ]
    assert client.is_model_ready(RENTALS, version, headers=authorized())


def test_binary_tensors_are_predicted_as_rows_of_json_are(gateway: Gateway, client: Any) -> None:
    """Both verbs give the same values to the bit, from the same version."""
    temps = [0.1, 0.34, 0.7]
    result = client.infer(
        RENTALS, rentals_inputs(3, temp=temps), headers=authorized(), request_id="q7"
    )
    by_rows = gateway.predict(RENTALS, *({**ROW, "temp": temp} for temp in temps)).json()
    values = [prediction["value"] for prediction in by_rows["predictions"]]
    assert result.as_numpy("cnt").tolist() == values
    response = result.get_response()
    assert response["id"] == "q7"
    assert response["model_name"] == RENTALS
    assert response["model_version"] == str(by_rows["version"])
    assert all("binary_data_size" in output["parameters"] for output in response["outputs"])


def test_rows_are_logged_before_the_answer(gateway: Gateway, client: Any) -> None:
    """What was sent as tensors is on disk as rows are, with its event time."""
    before = len(predictions(gateway))
    inputs = rentals_inputs(2, temp=[0.2, 0.4], windspeed=[float("nan"), 3.5], dry=[True, False])
    result = client.infer(RENTALS, inputs, headers=authorized())
    logged = predictions(gateway)[before:]
    assert [record.value for record in logged] == result.as_numpy("cnt").tolist()
    assert [record.row["temp"] for record in logged] == [0.2, 0.4]
    assert [record.row["windspeed"] for record in logged] == [None, 3.5]
    assert [record.row["dry"] for record in logged] == [True, False]
    assert {record.event_time for record in logged} == {1_301_644_800_000_000}


def test_ids_are_taken_by_actuals(gateway: Gateway, client: Any) -> None:
    """The output prediction_id is what actuals ask for."""
    ids = client.infer(RENTALS, rentals_inputs(2), headers=authorized()).as_numpy("prediction_id")
    actuals = [{"id": one.decode(), "value": 250.0} for one in ids.tolist()]
    assert gateway.post(RENTALS, "actuals", {"actuals": actuals}).json()["accepted"] == 2


def test_json_tensors_and_chosen_outputs(client: Any) -> None:
    """Inputs may be JSON of shape [n, 1]; outputs come in the order and form asked for."""
    outputs = [
        triton.InferRequestedOutput("label_probabilities", binary_data=True),
        triton.InferRequestedOutput("label", binary_data=False),
    ]
    result = client.infer(SPEED, speed_inputs(binary=False), headers=authorized(), outputs=outputs)
    shown = result.get_response()["outputs"]
    assert [output["name"] for output in shown] == ["label_probabilities", "label"]
    assert shown[1]["data"] == ["fast", "slow"]
    assert result.as_numpy("label").tolist() == ["fast", "slow"]
    probabilities = result.as_numpy("label_probabilities")
    assert probabilities.shape == (2, 2)
    assert probabilities.sum(axis=1) == pytest.approx([1, 1])
    classes = json.loads(shown[0]["parameters"]["classes"])
    assert [classes[i] for i in probabilities.argmax(axis=1)] == ["fast", "slow"]


def test_plain_json_is_answered_in_plain_json(gateway: Gateway) -> None:
    """Who asks for nothing binary gets all outputs as JSON."""
    response = infer(gateway, speed_body(parameters={"anything": 1}))
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert set(body) == {"model_name", "model_version", "outputs"}
    assert [(o["name"], o["shape"]) for o in body["outputs"]] == [
        ("label", [2]),
        ("label_probabilities", [2, 2]),
        ("prediction_id", [2]),
    ]
    assert len(body["outputs"][1]["data"]) == 4


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int32, np.uint8, np.int64])
def test_numbers_of_other_widths_fit_a_number(client: Any, dtype: Any) -> None:
    """A column of doubles takes any datatype of numbers."""
    inputs = [tensor("power", np.array([1, 0], dtype)), tensor("weight", np.array([0, 1], dtype))]
    result = client.infer(SPEED, inputs, headers=authorized())
    assert result.as_numpy("label").tolist() == [b"fast", b"slow"]


def test_only_the_champion_answers(client: Any) -> None:
    """A version may be named if it is the champion's."""
    named = client.infer(RENTALS, rentals_inputs(), "1", headers=authorized())
    assert named.get_response()["model_version"] == "1"
    assert not client.is_model_ready(RENTALS, "2", headers=authorized())
    for version in ("2", "latest"):
        with pytest.raises(InferenceServerException, match="which is version 1") as caught:
            client.infer(RENTALS, rentals_inputs(), version, headers=authorized())
        assert caught.value.status() == "409"
