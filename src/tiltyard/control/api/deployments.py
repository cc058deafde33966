"""Deployments: what runs, or is to run."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response
from pydantic import Field

from tiltyard.control.auth import Anyone, Operator, Scientist, owned
from tiltyard.control.bodies import Responses
from tiltyard.control.parts import Wired
from tiltyard.errors import NotFoundError
from tiltyard.scoring.engines import ENGINES
from tiltyard.types.base import Document
from tiltyard.types.registry import Deployment, DeploymentState, Replica, Size, Version

router = APIRouter(tags=["deployments"])


_LOG: Responses = {
    200: {
        "description": "The end of the log.",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }
}


class DeployBody(Document):
    """How a version is to run; no engine means the version's own.

    This is all that anybody may say of the containers that a deployment becomes.
    """

    replicas: Annotated[int, Field(ge=1, le=64)] = 1
    engine: str | None = None
    size: Size = Size.SMALL


class StateBody(Document):
    """What the runtime made of a deployment."""

    state: DeploymentState
    reason: str | None = None


@router.post("/models/{model}/versions/{version}/deploy", status_code=HTTPStatus.ACCEPTED)
def deploy_version(
    model: str, version: int, body: DeployBody, principal: Scientist, parts: Wired
) -> Deployment:
    """Record that a version is to run; it follows the log from now on."""
    owned(parts, principal, model)
    found = parts.registry.versions.get(model, version)
    engine = _engine(found, body.engine)
    parts.scorers.check(found)
    deployment = parts.registry.deployments.create(
        model,
        version,
        parts.settings.runtime,
        body.replicas,
        engine,
        parts.settings.sockets,
        principal.name,
        body.size,
    )
    parts.store.set_cursor(model, version, parts.store.watermarks())
    return deployment


@router.post("/models/{model}/versions/{version}/retire")
def retire_version(model: str, version: int, principal: Scientist, parts: Wired) -> Deployment:
    """Take a version's deployment away."""
    owned(parts, principal, model)
    return parts.registry.deployments.retire(model, version)


@router.get("/deployments")
def list_deployments(_: Anyone, parts: Wired, model: str | None = None) -> list[Deployment]:
    """Return the deployments of one or all models, oldest first."""
    return parts.registry.deployments.list(model)


@router.get("/deployments/{deployment}/replicas")
def list_replicas(deployment: str, _: Anyone, parts: Wired) -> list[Replica]:
    """Return how each scorer of a deployment is now."""
    return parts.scorers.replicas(parts.registry.deployments.get(deployment))


@router.get(
    "/deployments/{deployment}/replicas/{replica}/log", response_class=Response, responses=_LOG
)
def read_scorer_log(
    deployment: str, replica: int, principal: Scientist, parts: Wired
) -> PlainTextResponse:
    """Return the end of what a scorer has written since its last start."""
    found = parts.registry.deployments.get(deployment)
    owned(parts, principal, found.model)
    return PlainTextResponse(parts.scorers.log(found, replica))


@router.patch("/deployments/{deployment}")
def set_deployment(deployment: str, body: StateBody, _: Operator, parts: Wired) -> Deployment:
    """Record what the reconciler found."""
    return parts.registry.deployments.set_state(deployment, body.state, body.reason)


def _engine(version: Version, wanted: str | None) -> str:
    if wanted is not None and wanted not in ENGINES:
        raise NotFoundError("engine", wanted, sorted(ENGINES))
    return wanted or version.manifest.engine
