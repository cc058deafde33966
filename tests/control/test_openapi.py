"""The published OpenAPI document."""

from typing import Any

import pytest
from openapi_spec_validator import validate

from support.control import Control


@pytest.fixture(scope="module")
def document(shared: Control) -> dict[str, Any]:
    """The document as it is served, which needs no token."""
    answer: dict[str, Any] = shared.call("GET", "/openapi.json", None).json()
    return answer


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all operations."""
    return [operation for path in document["paths"].values() for operation in path.values()]


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    """By the OpenAPI specification's own schema."""
    validate(document)


def test_every_call_is_named_and_described(document: dict[str, Any]) -> None:
    """Names are unique, so that generated clients are readable."""
    names = [operation["operationId"] for operation in operations(document)]
    assert len(set(names)) == len(names) > 40
    assert all(o["summary"] and o["description"] and o["tags"] for o in operations(document))


def test_every_call_tells_the_shape_of_errors(document: dict[str, Any]) -> None:
    """Both for what cannot be used and for anything else."""
    for operation in operations(document):
        for status in ("422", "default"):
            content = operation["responses"][status]["content"]["application/json"]
            assert content["schema"] == {"$ref": "#/components/schemas/ErrorDocument"}
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_call_but_health_says_that_it_needs_a_token(document: dict[str, Any]) -> None:
    """The scheme is bearer."""
    open_calls = [o["operationId"] for o in operations(document) if "security" not in o]
    assert open_calls == ["health"]
    assert document["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"


def test_frames_and_tars_are_described(document: dict[str, Any]) -> None:
    """Calls whose bodies are no JSON say what they are."""
    paths = document["paths"]
    arrow = "application/vnd.apache.arrow.stream"
    assert arrow in paths["/api/v1/models/{model}/history"]["put"]["requestBody"]["content"]
    for path in ("history/rows", "training-frame", "scored"):
        answer = paths[f"/api/v1/models/{{model}}/{path}"]["get"]["responses"]["200"]
        assert list(answer["content"]) == [arrow]
    upload = paths["/api/v1/models/{model}/versions"]["post"]["requestBody"]["content"]
    assert list(upload) == ["multipart/form-data"]
    events = paths["/api/v1/events"]["get"]["responses"]["200"]
    assert list(events["content"]) == ["text/event-stream"]
