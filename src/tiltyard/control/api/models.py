"""Models: their call schemas, thresholds and descriptions."""

from fastapi import APIRouter

from tiltyard.control.auth import Anyone, Scientist, group_for, must_own, owned
from tiltyard.control.parts import Parts, Wired
from tiltyard.errors import InvalidInputError, NotFoundError
from tiltyard.types.base import Document
from tiltyard.types.metrics import METRICS
from tiltyard.types.registry import Model, Principal, Thresholds
from tiltyard.types.schema import CallSchema, ModelName, Task

router = APIRouter(prefix="/models", tags=["models"])


class ModelBody(Document):
    """A model to make, or the wider call schema of the one there is."""

    task: Task
    call_schema: CallSchema
    owner_group: str | None = None
    thresholds: Thresholds | None = None
    description: str | None = None


class ModelChange(Document):
    """What is to change; null leaves it."""

    thresholds: Thresholds | None = None
    description: str | None = None


@router.get("")
def list_models(_: Anyone, parts: Wired) -> list[Model]:
    """Return all models by name."""
    return parts.registry.models.list()


@router.get("/{model}")
def get_model(model: str, _: Anyone, parts: Wired) -> Model:
    """Return one model."""
    return parts.registry.models.get(model)


@router.put("/{model}")
def put_model(model: ModelName, body: ModelBody, principal: Scientist, parts: Wired) -> Model:
    """Make a model, or widen its call schema and set what else is given."""
    _check_metric(body.task, body.thresholds)
    found = find(parts, model)
    if found is None:
        return _create(model, body, principal, parts)
    must_own(principal, found)
    _check_same(found, body)
    parts.registry.models.widen(model, body.call_schema)
    return parts.registry.models.update(model, body.thresholds, body.description)


@router.patch("/{model}")
def patch_model(model: str, body: ModelChange, principal: Scientist, parts: Wired) -> Model:
    """Change a model's thresholds or description."""
    found = owned(parts, principal, model)
    _check_metric(found.task, body.thresholds)
    return parts.registry.models.update(model, body.thresholds, body.description)


def find(parts: Parts, model: str) -> Model | None:
    """Return a model if there is one."""
    try:
        return parts.registry.models.get(model)
    except NotFoundError:
        return None


def _create(model: str, body: ModelBody, principal: Principal, parts: Parts) -> Model:
    return parts.registry.models.create(
        model,
        body.task,
        body.call_schema,
        group_for(principal, body.owner_group),
        principal.name,
        body.thresholds,
        body.description or "",
    )


def _check_metric(task: Task, thresholds: Thresholds | None) -> None:
    if thresholds is None:
        return
    known = METRICS[task]
    if thresholds.metric not in known:
        raise InvalidInputError(
            f"{thresholds.metric!r} is no metric of a {task}: take {', '.join(known)}.",
            metric=thresholds.metric,
        )


def _check_same(found: Model, body: ModelBody) -> None:
    if body.task is not found.task:
        raise InvalidInputError(f"{found.name!r} is a {found.task} and stays so.")
    if body.owner_group not in {None, found.owner_group}:
        raise InvalidInputError(
            f"{found.name!r} belongs to the group {found.owner_group!r} and stays so."
        )
