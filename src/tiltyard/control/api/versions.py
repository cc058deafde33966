"""Versions: logged, listed, handed out."""

from typing import IO, Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from tiltyard.control import uploads
from tiltyard.control.auth import Anyone, owned, require
from tiltyard.control.bodies import TAR_ANSWER
from tiltyard.control.parts import Wired
from tiltyard.errors import ForbiddenError, InvalidInputError
from tiltyard.types.registry import Principal, Scope, Version

router = APIRouter(prefix="/models/{model}/versions", tags=["versions"])

Logger = Annotated[Principal, require(Scope.SCIENTIST, Scope.RUNNER, run=True)]
Holder = Annotated[Principal, require(Scope.SCIENTIST, Scope.WORKER)]

_FILE = {"type": "string", "format": "binary"}
_UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"folder": _FILE, "history_predictions": _FILE},
                    "required": ["folder"],
                }
            }
        },
    }
}


@router.post("", openapi_extra=_UPLOAD)
async def add_version(
    model: str, request: Request, principal: Logger, parts: Wired, run: str | None = None
) -> Version:
    """Register the version in a tar of its folder; the same folder again is the same version."""
    found = await run_in_threadpool(owned, parts, principal, model)
    made_by = _run(principal, run)
    async with request.form(max_files=2, max_fields=2) as form:
        folder = _file(form, "folder")
        if folder is None:
            raise InvalidInputError(
                "Send a multipart form whose file `folder` is a tar of the version's folder."
            )
        predictions = _file(form, "history_predictions")
        return await run_in_threadpool(
            uploads.register, parts, principal, found, folder, predictions, made_by
        )


@router.get("")
def list_versions(model: str, _: Anyone, parts: Wired) -> list[Version]:
    """Return a model's versions, oldest first."""
    return parts.registry.versions.list(model)


@router.get("/{version}")
def get_version(model: str, version: int, _: Anyone, parts: Wired) -> Version:
    """Return one version."""
    return parts.registry.versions.get(model, version)


@router.get("/{version}/folder", response_class=StreamingResponse, responses=TAR_ANSWER)
def download_version(
    model: str, version: int, principal: Holder, parts: Wired
) -> StreamingResponse:
    """Stream a version's folder as a tar."""
    owned(parts, principal, model)
    digest = parts.registry.versions.get(model, version).digest
    return StreamingResponse(parts.artifacts.pack(digest), media_type="application/x-tar")


def _file(form: FormData, name: str) -> IO[bytes] | None:
    part = form.get(name)
    return part.file if isinstance(part, UploadFile) else None


def _run(principal: Principal, told: str | None) -> str | None:
    if told is None or told == principal.run:
        return principal.run
    if Scope.RUNNER in principal.scopes:
        return told
    raise ForbiddenError("Only a run itself, or the runner, may say that a run made a version.")
