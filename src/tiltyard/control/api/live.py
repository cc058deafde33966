"""How versions do: metrics, the check, scored rows, and followers."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from tiltyard.control import followers
from tiltyard.control.auth import Anyone, owned, require
from tiltyard.control.bodies import ARROW_ANSWER, arrow_answer
from tiltyard.control.followers import Progress
from tiltyard.control.parts import Parts, Wired
from tiltyard.errors import ConflictError, InvalidInputError
from tiltyard.registry.clock import microseconds
from tiltyard.stores.base import Window
from tiltyard.types.base import Document
from tiltyard.types.monitor import Basis, MetricsReport, Source
from tiltyard.types.registry import Model, Principal, Scope, Version

router = APIRouter(prefix="/models/{model}", tags=["live"])

Replayer = Annotated[Principal, require(Scope.SCIENTIST, Scope.RUNNER)]


class Check(Document):
    """What a check found, as ``tiltyard.evaluation.check.CheckReport`` describes it."""

    degraded: bool
    reasons: tuple[str, ...]
    metric: str
    history: float | None
    live: float | None
    worsening: float | None
    rows: int
    drift: dict[str, float]


class ReplayBody(Document):
    """Which version is to score again, from which event time on."""

    version: int
    since: AwareDatetime


@router.get("/metrics")
def get_metrics(
    model: str,
    _: Anyone,
    parts: Wired,
    version: int | None = None,
    source: Source = Source.LIVE,
    start: AwareDatetime | None = None,
    end: AwareDatetime | None = None,
    known_by: AwareDatetime | None = None,
    basis: Basis = Basis.ROWS,
) -> MetricsReport:
    """Return a version's metrics (the champion's by default) in a window of event times.

    From summaries they cost the same however many rows there are; the window is widened to
    whole minutes then, and ``approximate`` says what is not exact, and by how much at most.
    Metrics over history are always from its rows.
    """
    found = parts.registry.models.get(model)
    judged = version_of(parts, found, version)
    window = window_of(start, end, known_by)
    off: dict[str, float] = {}
    if source is Source.HISTORY:
        basis = Basis.ROWS
        metrics = parts.performance.on_history(found, judged, window)
    elif basis is Basis.SUMMARIES:
        metrics, off = parts.performance.from_summaries(found, judged, window)
    else:
        metrics = parts.performance.on_live(found, judged, window)
    return MetricsReport(
        version=judged.version,
        source=source,
        metrics=metrics,
        rows=metrics["n"],
        basis=basis,
        approximate=off,
    )


@router.get("/check")
def check_model(model: str, _: Anyone, parts: Wired) -> Check:
    """Say whether the champion degrades by the model's thresholds."""
    report = parts.performance.check(parts.registry.models.get(model))
    return Check.model_validate(report.model_dump())


@router.get("/scored", response_class=StreamingResponse, responses=ARROW_ANSWER)
def read_scored(
    model: str,
    version: int,
    _: Anyone,
    parts: Wired,
    start: AwareDatetime | None = None,
    end: AwareDatetime | None = None,
    known_by: AwareDatetime | None = None,
    limit: Annotated[int | None, Query(ge=1)] = None,
) -> StreamingResponse:
    """Stream the live rows that a version answered or followed; with a limit the newest."""
    parts.registry.versions.get(model, version)
    table = parts.store.scored(model, version, window_of(start, end, known_by), limit)
    return arrow_answer(table.schema, table.to_batches())


@router.post("/replay")
def replay_version(model: str, body: ReplayBody, principal: Replayer, parts: Wired) -> Progress:
    """Set a follower's cursor back, so that it scores again from an event time on."""
    owned(parts, principal, model)
    parts.registry.versions.get(model, body.version)
    followers.set_back(parts.store, model, body.version, microseconds(body.since))
    return followers.progress(parts.store, model, body.version)


@router.get("/progress")
def get_progress(model: str, version: int, _: Anyone, parts: Wired) -> Progress:
    """Say how far a follower is."""
    parts.registry.versions.get(model, version)
    return followers.progress(parts.store, model, version)


def version_of(parts: Parts, model: Model, version: int | None) -> Version:
    """Return a version, the champion by default.

    Raises:
        ConflictError: there is no champion.
        NotFoundError: there is no such version.
    """
    version = model.champion if version is None else version
    if version is None:
        raise ConflictError(f"{model.name} has no champion: name a version.")
    return parts.registry.versions.get(model.name, version)


def window_of(
    start: AwareDatetime | None,
    end: AwareDatetime | None,
    known_by: AwareDatetime | None = None,
) -> Window:
    """Return a window of the store.

    Raises:
        InvalidInputError: it ends before it starts.
    """
    if start is not None and end is not None and start > end:
        raise InvalidInputError(f"The window starts at {start} and ends before, at {end}.")
    at = (None if t is None else microseconds(t) for t in (start, end, known_by))
    return Window(*at)
