"""The OpenAPI document of a model: it is valid, and says what the gateway does."""

from typing import Any

import httpx
import msgspec
import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from support.gateway import TOKEN, Gateway
from support.rentals import AWAY, IDLE, OTHER_TOKEN, RENTALS, ROW, SPEED
from tiltyard.errors import TiltyardError
from tiltyard.gateway.decoding import ActualsDecoder, RowsDecoder
from tiltyard.gateway.openapi import openapi_document
from tiltyard.settings import GatewaySettings
from tiltyard.types.routes import ModelRoute, VersionRoute
from tiltyard.types.schema import (
    CallSchema,
    Column,
    ColumnType,
    Output,
    Signature,
    Task,
    UnknownLevel,
)

NOW_US = 2_000_000_000_000_000
SETTINGS = GatewaySettings(max_rows=3)
COLUMNS = (
    Column(name="at", type=ColumnType.DATETIME, nullable=True),
    Column(name="day", type=ColumnType.DATE),
    Column(name="flag", type=ColumnType.BOOL),
    Column(name="count", type=ColumnType.INT64, description="How many.", unit="pieces"),
    Column(name="größe in m²", type=ColumnType.FLOAT64, minimum=0, maximum=1),
    Column(name="note", type=ColumnType.STRING, nullable=True),
    Column(
        name="color",
        type=ColumnType.CATEGORY,
        levels=("red", "blue"),
        unknown=UnknownLevel.REFUSE,
    ),
    Column(
        name="shape",
        type=ColumnType.CATEGORY,
        levels=("round", "flat"),
        unknown=UnknownLevel.REFUSE,
        nullable=True,
    ),
    Column(name="finish", type=ColumnType.CATEGORY, levels=("matt",), unknown=UnknownLevel.MISSING),
    Column(name="brand", type=ColumnType.CATEGORY, levels=("a",), unknown=UnknownLevel.PASS),
)
GOOD: dict[str, Any] = {
    "day": "2024-05-01",
    "flag": True,
    "count": 3,
    "größe in m²": 1.5,
    "color": "red",
    "finish": "matt",
    "brand": "a",
}
LEAVE_OUT = object()


def route(*, champion: bool = True, columns: tuple[Column, ...] = COLUMNS) -> ModelRoute:
    """Return a model with a column of each type, whose champion uses all but the times."""
    used = tuple(c for c in columns if c.name != "at")
    signature = Signature(inputs=used, output=Output(name="price", type=ColumnType.FLOAT64))
    version = VersionRoute(version=4, deployment="d", signature=signature, endpoints=())
    return ModelRoute(
        name="parts",
        number=1,
        task=Task.REGRESSION,
        call_schema=CallSchema(
            columns=columns, target="price", target_type=ColumnType.FLOAT64, event_time="at"
        ),
        champion=version if champion else None,
    )


def document(made: ModelRoute | None = None) -> dict[str, Any]:
    """Return the model's document."""
    return openapi_document(made or route(), SETTINGS, "http://gateway")


def validator(found: dict[str, Any], name: str) -> Any:
    """Return what checks a value against one schema of a document, formats included."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": found["components"]}
    return OAS31Validator(schema, format_checker=OAS31Validator.FORMAT_CHECKER)


def get(gateway: Gateway, model: str, token: str | None = TOKEN) -> httpx.Response:
    """Fetch a document."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return httpx.get(f"{gateway.url}/models/{model}/openapi.json", headers=headers)


@pytest.mark.parametrize("champion", [True, False])
def test_documents_are_valid(champion: bool) -> None:
    """They follow OpenAPI 3.1, with and without a champion."""
    found = document(route(champion=champion))
    validate(found)
    assert found["openapi"].startswith("3.1")
    assert found["info"]["version"] == ("4" if champion else "0")


def test_paths_are_literal_and_operations_named() -> None:
    """A generated client has a predict and a sendActuals of this model, with all statuses."""
    found = document()
    predict = found["paths"]["/models/parts/predict"]["post"]
    actuals = found["paths"]["/models/parts/actuals"]["post"]
    assert list(found["paths"]) == ["/models/parts/predict", "/models/parts/actuals"]
    assert (predict["operationId"], actuals["operationId"]) == ("predict", "sendActuals")
    errors = {"400", "401", "403", "404", "408", "409", "413", "415", "422", "503", "504"}
    assert set(predict["responses"]) == {"200"} | errors
    assert set(actuals["responses"]) == {"202"} | errors - {"409"}
    assert found["security"] == [{"token": []}]
    assert found["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_columns_are_typed() -> None:
    """Types, formats, null, levels only where others are refused, units and descriptions."""
    row = document()["components"]["schemas"]["Row"]
    assert row["required"] == list(GOOD)
    assert row["additionalProperties"] is False
    columns = row["properties"]
    assert columns["at"]["type"] == ["string", "null"]
    assert columns["at"]["format"] == "date-time"
    assert columns["day"] == {"type": "string", "format": "date"}
    assert columns["flag"] == {"type": "boolean"}
    assert columns["count"] == {
        "type": "integer",
        "format": "int64",
        "description": "How many. Unit: pieces.",
    }
    assert columns["größe in m²"] == {"type": "number", "format": "double"}
    assert columns["color"] == {"type": "string", "enum": ["red", "blue"]}
    assert columns["shape"] == {"type": ["string", "null"], "enum": ["round", "flat", None]}
    assert "enum" not in columns["finish"]
    assert columns["finish"]["examples"] == ["matt"]
    assert "counts as missing" in columns["finish"]["description"]
    assert "Other levels" in columns["brand"]["description"]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("at", ["2024-05-01T12:00:00Z", "2024-05-01T12:00:00+02:00", None, LEAVE_OUT]),
        ("at", ["2024-05-01T12:00:00", "2024-05-01", 17, "now"]),
        ("day", ["2024-02-29", "2023-02-29", "2024-05-01T12:00:00Z", None, LEAVE_OUT, 3]),
        ("flag", [False, 1, "true", None, LEAVE_OUT]),
        ("count", [-1, -(2**63), 2**70, 1.5, "1", True, None, LEAVE_OUT]),
        ("größe in m²", [7, -1e300, 99.0, "1", True, None, LEAVE_OUT]),
        ("note", ["", "text", None, LEAVE_OUT, 3]),
        ("color", ["blue", "green", "", None, LEAVE_OUT, 1]),
        ("shape", ["flat", "green", None, LEAVE_OUT, 1]),
        ("finish", ["glossy", None, LEAVE_OUT, 1]),
        ("brand", ["unheard of", None, LEAVE_OUT, 1]),
        ("unknown", [1, None]),
    ],
)
@pytest.mark.parametrize("champion", [True, False])
def test_the_schema_and_the_gateway_agree(column: str, values: list[Any], champion: bool) -> None:
    """A row that the schema takes is taken by the gateway, and no other is."""
    made = route(champion=champion)
    signature = made.champion.signature if made.champion else None
    decoder = RowsDecoder(made.name, made.call_schema, signature, SETTINGS.max_rows)
    schema = validator(document(made), "PredictRequest")
    for value in values:
        row = {**GOOD, column: value}
        if value is LEAVE_OUT:
            del row[column]
        body = {"rows": [row]}
        assert schema.is_valid(body) == taken(decoder, body), value


@pytest.mark.parametrize("rows", [0, 1, 3, 4])
def test_the_number_of_rows_agrees(rows: int) -> None:
    """An empty list and one row too many are refused by both."""
    made = route()
    body = {"rows": [GOOD] * rows}
    decoder = RowsDecoder(made.name, made.call_schema, None, SETTINGS.max_rows)
    assert validator(document(), "PredictRequest").is_valid(body) == taken(decoder, body)


@pytest.mark.parametrize("target_type", list(ColumnType))
def test_actuals_agree(target_type: ColumnType) -> None:
    """The schema of actuals takes the values that the gateway takes for the target."""
    values = [1, 1.5, True, "a", "2024-05-01", "2024-05-01T12:00:00Z", None]
    made = route(champion=False)
    schema = made.call_schema.model_copy(update={"target_type": target_type})
    found = validator(document(made.model_copy(update={"call_schema": schema})), "ActualsRequest")
    decoder = ActualsDecoder(made.name, target_type, SETTINGS.max_rows)
    for value in values:
        for known_at in ("2024-05-01T12:00:00Z", "2024-05-01", None, 3):
            body = {"actuals": [{"id": "x", "value": value, "known_at": known_at}]}
            assert found.is_valid(body) == taken(decoder, body), (value, known_at)


def taken(decoder: RowsDecoder | ActualsDecoder, body: Any) -> bool:
    """Whether the gateway takes a body."""
    try:
        decoder.decode(msgspec.json.encode(body), NOW_US)
    except TiltyardError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("model", [RENTALS, SPEED, IDLE, AWAY])
def test_a_gateway_publishes_its_models(gateway: Gateway, model: str) -> None:
    """Each model has a document, also without champion or scorer; it names this gateway."""
    found = get(gateway, model).json()
    validate(found)
    assert f"/models/{model}/predict" in found["paths"]
    assert found["servers"] == [{"url": gateway.url}]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "token", "status"),
    [
        (RENTALS, None, 401),
        (RENTALS, "forged", 401),
        (RENTALS, OTHER_TOKEN, 403),
        ("nothing", TOKEN, 404),
    ],
)
def test_who_may_read_it(gateway: Gateway, model: str, token: str | None, status: int) -> None:
    """Those who may call the model."""
    response = get(gateway, model, token)
    assert response.status_code == status
    assert set(response.json()["error"]) == {"code", "message", "details"}
    assert get(gateway, IDLE, OTHER_TOKEN).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "row", "actual"),
    [(RENTALS, ROW, 250.0), (SPEED, {"power": 0.9, "weight": 0.1}, "fast")],
)
def test_answers_are_as_documented(
    gateway: Gateway, model: str, row: dict[str, Any], actual: Any
) -> None:
    """Predictions, receipts of actuals and errors follow their schemas."""
    found = get(gateway, model).json()
    answer = gateway.predict(model, row, row).json()
    validator(found, "PredictResponse").validate(answer)
    actuals = {"actuals": [{"id": answer["predictions"][0]["id"], "value": actual}]}
    validator(found, "ActualsRequest").validate(actuals)
    receipt = gateway.post(model, "actuals", actuals)
    assert receipt.status_code == 202
    validator(found, "ActualsResponse").validate(receipt.json())
    refused = gateway.predict(model, {**row, "unknown": 1})
    assert refused.status_code == 422
    validator(found, "Error").validate(refused.json())


@pytest.mark.slow
def test_a_prediction_that_is_no_number_is_null(gateway: Gateway) -> None:
    """Infinity is no JSON; the document says that null may come instead."""
    answer = gateway.predict(RENTALS, {**ROW, "temp": 1e308}).json()
    assert answer["predictions"][0]["value"] is None
    validator(get(gateway, RENTALS).json(), "PredictResponse").validate(answer)
