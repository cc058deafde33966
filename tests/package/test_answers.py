"""An exported image answers as the gateway does, in front of the same version."""

import json
from typing import Any, NamedTuple

import httpx
import pytest

from support import typed
from support.gateway import TOKEN, Gateway
from support.packaged import Exported
from support.typed import row

pytestmark = pytest.mark.slow

PREDICT = f"/models/{typed.MODEL}/predict"
V2 = f"/v2/models/{typed.MODEL}"
BEARER = {"authorization": f"Bearer {TOKEN}"}


class Asked(NamedTuple):
    """One request."""

    method: str
    path: str
    content: bytes = b""
    headers: dict[str, str] = BEARER


def predict(*rows: Any, **headers: str) -> Asked:
    """Return a call with these rows."""
    return Asked("POST", PREDICT, json.dumps({"rows": rows}).encode(), {**BEARER, **headers})


def tensor(name: str, kind: str, value: Any) -> dict[str, Any]:
    """Return a column of one row for the Open Inference Protocol."""
    return {"name": name, "datatype": kind, "shape": [1], "data": [value]}


TENSORS = [
    tensor("flag", "BOOL", True),
    tensor("count", "INT64", 3),
    tensor("size", "FP64", 1.5),
    tensor(typed.WEIRD, "FP64", 0.5),
    tensor("color", "BYTES", "red"),
    tensor("shape", "BYTES", "flat"),
    tensor("finish", "BYTES", "matt"),
]

CALLS = {
    "a row": predict(row()),
    "many rows": predict(*[row(size=i / 7) for i in range(600)]),
    "a missing value": predict(row(gap=None, shape=None)),
    "an unknown level that passes": predict(row(finish="rough")),
    "an unknown level that is refused": predict(row(), row(color="green")),
    "a wrong type": predict(row(count="3")),
    "an integral float": predict(row(count=3.0)),
    "a column too many": predict(row(more=1)),
    "a column too few": predict({"flag": True}),
    "an event time": predict(row(at="2024-05-06T07:08:09Z")),
    "an event time of tomorrow": predict(row(at="2999-05-06T07:08:09Z")),
    "no rows": predict(),
    "no JSON": Asked("POST", PREDICT, b"{"),
    "the same key twice": Asked("POST", PREDICT, b'{"rows": [{"flag": true, "flag": true}]}'),
    "too many rows": predict(*[{}] * 10_001),
    "too many bytes": Asked("POST", PREDICT, b" " * 8_000_001),
    "compressed": predict(row(), **{"content-encoding": "gzip"}),
    "another method": Asked("GET", PREDICT),
    "no token": predict(row(), authorization=""),
    "a wrong token": predict(row(), authorization="Bearer wrong"),
    "no such model": Asked("POST", "/models/none/predict", b"{}"),
    "no such path": Asked("GET", "/nowhere"),
    "health": Asked("GET", "/healthz"),
    "readiness": Asked("GET", "/readyz"),
    "a server": Asked("GET", "/v2"),
    "metadata": Asked("GET", V2),
    "tensors": Asked("POST", f"{V2}/infer", json.dumps({"inputs": TENSORS}).encode()),
    "a tensor too few": Asked("POST", f"{V2}/infer", json.dumps({"inputs": TENSORS[1:]}).encode()),
    "another version": Asked("GET", f"{V2}/versions/7/ready"),
}


def ask(url: str, asked: Asked) -> tuple[int, Any]:
    """Return status and document, without the ids, which differ."""
    answer = httpx.request(
        asked.method, url + asked.path, content=asked.content, headers=asked.headers, timeout=40
    )
    document = answer.json()
    for prediction in document.get("predictions", ()):
        assert prediction.pop("id")
    for output in document.get("outputs", ()):
        if output["name"] == "prediction_id":
            output.pop("data", None)
    return answer.status_code, document


@pytest.mark.parametrize("name", CALLS)
def test_it_answers_as_the_gateway_does(name: str, gateway: Gateway, exported: Exported) -> None:
    """Good calls and bad ones: the same status and the same document."""
    assert ask(exported.url, CALLS[name]) == ask(gateway.url, CALLS[name])


def test_actuals_are_refused_in_a_sentence(exported: Exported) -> None:
    """The image keeps nothing, so there is nothing to join them with."""
    body = json.dumps({"actuals": [{"id": "x", "value": 1.0}]}).encode()
    status, document = ask(exported.url, Asked("POST", f"/models/{typed.MODEL}/actuals", body))
    assert status == 501
    assert "keeps nothing" in document["error"]["message"]


def test_the_document_is_that_of_predictions(gateway: Gateway, exported: Exported) -> None:
    """It types rows and answers as the gateway's does, and names no call that is refused."""
    path = f"/models/{typed.MODEL}/openapi.json"
    _, ours = ask(exported.url, Asked("GET", path))
    _, theirs = ask(gateway.url, Asked("GET", path))
    assert list(ours["paths"]) == [PREDICT]
    assert ours["paths"][PREDICT] == theirs["paths"][PREDICT]
    assert ours["components"]["schemas"]["Row"] == theirs["components"]["schemas"]["Row"]
    assert "no further use" in json.dumps(ours["components"]["schemas"]["Prediction"])
    assert "Actual" not in json.dumps(ours)


def test_it_counts_what_it_answers(exported: Exported) -> None:
    """Prometheus reads the same counters."""
    ask(exported.url, CALLS["a row"])
    ask(exported.url, CALLS["a wrong type"])
    text = httpx.get(f"{exported.url}/metrics", timeout=10).text
    assert 'tiltyard_gateway_calls_total{model="typed",status="200",verb="predict"}' in text
    assert 'tiltyard_gateway_refusals_total{model="typed",reason=' in text
