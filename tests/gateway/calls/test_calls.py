"""Predict and actuals: what is answered, and what is on disk by then."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from support.gateway import ID_KEY, ROW, TOKEN, Gateway
from tiltyard.gateway.saved import load_routes
from tiltyard.scoring.client import ScorerClient
from tiltyard.spool import decode_id
from tiltyard.types.records import ActualRecord, PredictionRecord

pytestmark = pytest.mark.slow


def records_of(gateway: Gateway, answer: Mapping[str, Any], number: int) -> list[Any]:
    """Return the records of an answer's predictions, in order."""
    keys = [decode_id(bytes.fromhex(ID_KEY), p["id"], number) for p in answer["predictions"]]
    found = {(r.gateway, r.seq): r for r in gateway.records()}
    return [found[key] for key in keys]


def test_an_answer_is_the_scorers_and_is_recorded_as_sent(
    shared: Gateway, versions: dict[str, Any]
) -> None:
    """Value, version and id; the record holds the row under its real names, and both times."""
    before = datetime.now(UTC)
    answer = shared.predict("pass", ROW).json()
    assert (answer["model"], answer["version"]) == ("pass", 1)
    (record,) = records_of(shared, answer, list(versions).index("pass") + 1)
    assert isinstance(record, PredictionRecord)
    sent = {**ROW, "at": datetime(2012, 3, 4, 3, 6, 7, 89_000, tzinfo=UTC)}
    assert record.row == sent
    assert record.value == answer["predictions"][0]["value"]
    assert record.event_time == 1_330_830_367_089_000
    assert abs(record.received_at - before.timestamp() * 1e6) < 10e6
    assert record.version == 1


def test_values_are_the_scorers_to_the_bit(shared: Gateway, versions: dict[str, Any]) -> None:
    """Also over several batches, in the order of the rows."""
    manifest = versions["pass"][1]
    rows = [{**ROW, "hour": i % 24, "temperature": i / 7} for i in range(700)]
    answer = shared.predict("pass", *rows).json()
    with ScorerClient(scorer_endpoint(shared, "pass")) as scorer:
        expected = scorer.score(manifest.signature, rows)
    assert [p["value"] for p in answer["predictions"]] == [value for value, _ in expected]
    seqs = [r.seq for r in records_of(shared, answer, list(versions).index("pass") + 1)]
    assert seqs == list(range(seqs[0], seqs[0] + 700))


def test_a_classifier_answers_probabilities_by_class(
    shared: Gateway, versions: dict[str, Any]
) -> None:
    """The record keeps them in the signature's order."""
    answer = shared.predict("classes", {"f0": 1, "f1": -0.5}).json()
    (prediction,) = answer["predictions"]
    assert list(prediction["probabilities"]) == ["0", "1"]
    assert sum(prediction["probabilities"].values()) == pytest.approx(1)
    (record,) = records_of(shared, answer, list(versions).index("classes") + 1)
    assert record.probabilities == list(prediction["probabilities"].values())
    assert record.value == prediction["value"]


def test_what_was_not_sent_is_not_recorded_and_null_is(
    shared: Gateway, versions: dict[str, Any]
) -> None:
    """A nullable column may be null or left out."""
    row = {key: ROW[key] for key in ("hour", "weather", "holiday", "temperature")}
    answer = shared.predict("pass", {**row, "note": None}).json()
    (record,) = records_of(shared, answer, list(versions).index("pass") + 1)
    assert record.row == {**row, "note": None}
    assert record.event_time is None


def test_actuals_are_recorded_with_the_prediction_they_belong_to(shared: Gateway) -> None:
    """known_at is as sent, else the arrival; numbers of a float target may be whole."""
    ids = [p["id"] for p in shared.predict("pass", ROW, ROW).json()["predictions"]]
    actuals = [
        {"id": ids[0], "value": 12, "known_at": "2012-03-05T00:00:00Z"},
        {"id": ids[1], "value": 13.5},
    ]
    answer = shared.post("pass", "actuals", {"actuals": actuals})
    assert (answer.status_code, answer.json()) == (202, {"model": "pass", "accepted": 2})
    first, second = shared.records()[-2:]
    assert isinstance(first, ActualRecord)
    assert isinstance(second, ActualRecord)
    assert (first.value, first.known_at) == (12.0, 1_330_905_600_000_000)
    assert (second.value, second.known_at) == (13.5, second.received_at)
    assert second.of_seq == first.of_seq + 1


def test_who_may_call(shared: Gateway) -> None:
    """401 without a known token, 403 for another's model, 404, 409, 503; all in one shape."""
    cases = [
        (httpx.post(f"{shared.url}/models/pass/predict", json={}), 401, "unauthenticated"),
        (
            shared.post("pass", "predict", {"rows": [ROW]}, token=f"{TOKEN}x"),
            401,
            "unauthenticated",
        ),
        (shared.predict("unheard-of", ROW), 404, "not_found"),
        (shared.predict("idle", ROW), 409, "conflict"),
        (shared.predict("away", ROW), 503, "unavailable"),
    ]
    for answer, status, code in cases:
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert cases[0][0].headers["www-authenticate"] == "Bearer"
    assert cases[4][0].headers["retry-after"] == "1"


def test_other_routes(shared: Gateway) -> None:
    """Health, readiness, an unknown path, a wrong method: in the same shape of errors."""
    assert httpx.get(f"{shared.url}/healthz").status_code == 200
    assert httpx.get(f"{shared.url}/readyz").json() == {"status": "ready"}
    lost = httpx.get(f"{shared.url}/nowhere")
    assert (lost.status_code, lost.json()["error"]["code"]) == (404, "not_found")
    wrong = httpx.get(f"{shared.url}/models/pass/predict")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert wrong.json()["error"]["code"] == "method_not_allowed"
    assert httpx.post(f"{shared.url}/healthz").status_code == 405
    head = httpx.head(f"{shared.url}/models/pass/predict")
    assert (head.status_code, head.content) == (405, b"")


def test_metrics_count_calls_rows_refusals_and_the_spool(shared: Gateway) -> None:
    """By model and reason, as Prometheus reads them."""
    shared.predict("pass", ROW)
    shared.predict("pass", {**ROW, "hour": None})
    text = httpx.get(f"{shared.url}/metrics").text
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(values['tiltyard_gateway_rows_total{model="pass",verb="predict"}']) >= 1
    assert float(values['tiltyard_gateway_refusals_total{model="pass",reason="null"}']) >= 1
    assert float(values['tiltyard_gateway_predict_seconds_count{model="pass"}']) >= 1
    assert float(values["tiltyard_gateway_spool_durable_seq"]) >= 2**40
    assert float(values["tiltyard_gateway_spool_disk_full"]) == 0


def scorer_endpoint(gateway: Gateway, model: str) -> str:
    """Return where a model's first scorer listens, as the gateway's routes say."""
    saved = load_routes(gateway.home / "routes.json")
    assert saved is not None
    route = saved.table.model(model)
    assert route is not None
    assert route.champion is not None
    return route.champion.endpoints[0]
