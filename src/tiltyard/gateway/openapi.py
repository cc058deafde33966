"""The OpenAPI 3.1 document of one model: what generators make typed clients from."""

from collections.abc import Sequence
from typing import Any

from tiltyard.gateway.columns import narrowed
from tiltyard.settings import GatewaySettings
from tiltyard.types.routes import ModelRoute
from tiltyard.types.schema import Column, ColumnType, Label, UnknownLevel

Json = dict[str, Any]

_TYPES: dict[ColumnType, Json] = {
    ColumnType.BOOL: {"type": "boolean"},
    ColumnType.INT64: {"type": "integer", "format": "int64"},
    ColumnType.FLOAT64: {"type": "number", "format": "double"},
    ColumnType.STRING: {"type": "string"},
    ColumnType.CATEGORY: {"type": "string"},
    ColumnType.DATE: {"type": "string", "format": "date"},
    ColumnType.DATETIME: {"type": "string", "format": "date-time"},
}
_ERRORS = {
    "400": "What arrived is not HTTP/1.1.",
    "401": "No token, or one that nobody knows.",
    "403": "The token is not for this model.",
    "404": "There is no such model.",
    "408": "The request came too slowly.",
    "409": "The model has no champion.",
    "413": "Too many rows or bytes: split them over several calls.",
    "415": "The body is compressed.",
    "422": "A row or an actual cannot be used; the message names it and the field.",
    "503": "Too much to do, no scorer, or no space on the disk: try again after Retry-After.",
    "504": "There was no answer in time: call again.",
}
_HEADERS: dict[str, Json] = {
    "401": {"WWW-Authenticate": {"schema": {"type": "string"}}},
    "503": {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}},
}
_UNKNOWN = {
    UnknownLevel.MISSING: "An unknown level counts as missing.",
    UnknownLevel.PASS: "Other levels are taken as well.",
}
_MANY_LEVELS = 20
_ID = {"type": "string", "description": "Of the prediction; actuals are sent for it."}


def openapi_document(route: ModelRoute, settings: GatewaySettings, server: str) -> Json:
    """Return the document of a model's calls, typed by its call schema.

    Args:
        route: of the model.
        settings: for the limits.
        server: URL of the gateway.
    """
    name = route.name
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Predictions of {name}", "version": str(_version(route))},
        "servers": [{"url": server}],
        "security": [{"token": []}],
        "paths": {
            f"/models/{name}/predict": {"post": _predict()},
            f"/models/{name}/actuals": {"post": _actuals()},
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(route, settings.max_rows),
            "responses": {status: _refusal(status) for status in _ERRORS},
        },
    }


def _version(route: ModelRoute) -> int:
    return route.champion.version if route.champion else 0


def _predict() -> Json:
    return _operation(
        "predict",
        "Predict rows; they are answered once they are logged.",
        "PredictRequest",
        {"200": _content("One prediction a row, in the same order.", "PredictResponse")},
    )


def _actuals() -> Json:
    return _operation(
        "sendActuals",
        "Tell what came out, for predictions by their ids.",
        "ActualsRequest",
        {"202": _content("They are logged.", "ActualsResponse")},
        never=("409",),
    )


def _operation(
    name: str, summary: str, body: str, responses: Json, never: Sequence[str] = ()
) -> Json:
    content = {"application/json": {"schema": _ref(body)}}
    errors = {s: {"$ref": f"#/components/responses/{s}"} for s in _ERRORS if s not in never}
    return {
        "operationId": name,
        "summary": summary,
        "requestBody": {"required": True, "content": content},
        "responses": {**responses, **errors},
    }


def _refusal(status: str) -> Json:
    response = _content(_ERRORS[status], "Error")
    return {**response, "headers": _HEADERS[status]} if status in _HEADERS else response


def _content(description: str, schema: str) -> Json:
    return {"description": description, "content": {"application/json": {"schema": _ref(schema)}}}


def _schemas(route: ModelRoute, max_rows: int) -> Json:
    signature = route.champion.signature if route.champion else None
    columns = narrowed(route.call_schema, signature)
    return {
        "Row": _row(columns, route.call_schema.event_time),
        "PredictRequest": _list_of("rows", "Row", max_rows),
        "Prediction": _prediction(route),
        "PredictResponse": _object(
            {
                "model": {"type": "string"},
                "version": {"type": "integer", "format": "int64"},
                "predictions": {"type": "array", "items": _ref("Prediction")},
            }
        ),
        "Actual": _actual(route),
        "ActualsRequest": _list_of("actuals", "Actual", max_rows),
        "ActualsResponse": _object(
            {"model": {"type": "string"}, "accepted": {"type": "integer", "format": "int64"}}
        ),
        "Error": _object({"error": _error()}),
    }


def _error() -> Json:
    return _object(
        {
            "code": {"type": "string", "description": "A stable name for programs."},
            "message": {"type": "string", "description": "Says what to do."},
            "details": {"type": "object", "additionalProperties": True},
        }
    )


def _row(columns: Sequence[Column], event_time: str | None) -> Json:
    return {
        "type": "object",
        "properties": {c.name: _column(c, told=_told(c, event_time)) for c in columns},
        "required": [column.name for column in columns if not column.nullable],
        "additionalProperties": False,
    }


def _column(column: Column, told: str) -> Json:
    schema = dict(_TYPES[column.type])
    if column.levels and column.unknown is UnknownLevel.REFUSE:
        schema["enum"] = [*column.levels, *([None] if column.nullable else [])]
    elif column.levels:
        schema["examples"] = list(column.levels[:_MANY_LEVELS])
    if column.nullable:
        schema["type"] = [schema["type"], "null"]
    return {**schema, "description": told} if told else schema


def _told(column: Column, event_time: str | None) -> str:
    """Return what a schema cannot say of a column."""
    told = [
        column.description,
        f"Unit: {column.unit}." if column.unit else None,
        _UNKNOWN.get(column.unknown) if column.levels else None,
        "When the row happened, at most a day ahead." if column.name == event_time else None,
    ]
    return " ".join(part for part in told if part)


def _prediction(route: ModelRoute) -> Json:
    output = route.champion.signature.output if route.champion else None
    value = _labels(output.classes) if output and output.classes else None
    kind = output.type if output else route.call_schema.target_type
    schema = _object({"id": _ID, "value": value or _value(kind)})
    if output and output.probabilities:
        schema["properties"]["probabilities"] = {
            "type": "object",
            "description": "By class.",
            "additionalProperties": {"type": "number", "format": "double"},
        }
    return schema


def _value(kind: ColumnType) -> Json:
    if kind is not ColumnType.FLOAT64:
        return _TYPES[kind]
    told = "Null if the model's number is NaN or infinite."
    return {**_TYPES[kind], "type": ["number", "null"], "description": told}


def _labels(classes: tuple[Label, ...]) -> Json:
    first = classes[0]
    if isinstance(first, bool):
        return _TYPES[ColumnType.BOOL]
    if isinstance(first, int):
        return _TYPES[ColumnType.INT64]
    return {**_TYPES[ColumnType.STRING], "examples": list(classes[:20])}


def _actual(route: ModelRoute) -> Json:
    schema = _object(
        {
            "id": _ID,
            "value": _TYPES[route.call_schema.target_type],
        }
    )
    schema["properties"]["known_at"] = {
        "type": ["string", "null"],
        "format": "date-time",
        "description": "When it became known; by default now.",
    }
    schema["additionalProperties"] = False
    return schema


def _object(properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _list_of(key: str, item: str, max_rows: int) -> Json:
    items = {"type": "array", "items": _ref(item), "minItems": 1, "maxItems": max_rows}
    return {**_object({key: items}), "additionalProperties": False}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}
