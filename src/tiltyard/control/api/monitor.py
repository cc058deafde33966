"""What a dashboard asks: series to draw, and where a model stands."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from tiltyard.control import followers
from tiltyard.control.api.live import version_of, window_of
from tiltyard.control.auth import Anyone
from tiltyard.control.live_series import column_of, live_series
from tiltyard.control.parts import Parts, Wired
from tiltyard.errors import InvalidInputError, NotFoundError
from tiltyard.registry.clock import instant
from tiltyard.types.monitor import Overview, Series, Source, Standing
from tiltyard.types.registry import DeploymentState, Model, Run

router = APIRouter(prefix="/models/{model}", tags=["monitor"])

LOOKED_AT, SHOWN = 100, 5
"""Runs that are looked at, and those of the model that are told."""


@router.get("/series")
def get_series(
    model: str,
    variable: str,
    _: Anyone,
    parts: Wired,
    version: int | None = None,
    source: Source = Source.LIVE,
    start: AwareDatetime | None = None,
    end: AwareDatetime | None = None,
    points: Annotated[int, Query(ge=10, le=10_000)] = 2000,
) -> Series:
    """Return what to draw of a variable in a window of event times; of a history all of it.

    A variable is a column of the call schema, or the target: then predicted and actual. Live
    data come from summaries by minute, hour or day, the finest of which there are at most
    ``points``, so they cost the same however many rows there are; a regression's target comes
    row by row while rows are few.
    """
    found = parts.registry.models.get(model)
    seen_by = version_of(parts, found, version)
    _check_variable(found, variable)
    window = window_of(start, end)
    if source is Source.LIVE:
        return live_series(parts.store, found, seen_by, variable, window, points)
    if start is not None or end is not None:
        raise InvalidInputError("The series of a history has no window: leave start and end out.")
    return parts.histories.series(found, seen_by, variable, points)


@router.get("/overview")
def get_overview(model: str, _: Anyone, parts: Wired) -> Overview:
    """Say where a model stands: versions, deployments, live data, runs, the last change."""
    found = parts.registry.models.get(model)
    known = parts.store.event_range(model)
    ledger = parts.registry.champions.ledger(model)
    return Overview(
        model=found,
        versions=tuple(parts.registry.versions.list(model)),
        standings=_standings(parts, found),
        oldest=None if known is None else instant(known[0]),
        newest=None if known is None else instant(known[1]),
        counts=parts.store.counts(model),
        runs=tuple(_runs(parts, model)),
        last_change=ledger[-1] if ledger else None,
    )


def _check_variable(model: Model, variable: str) -> None:
    if variable == model.call_schema.target or column_of(model, variable) is not None:
        return
    known = [model.call_schema.target, *(column.name for column in model.call_schema.columns)]
    raise NotFoundError("variable", variable, known)


def _standings(parts: Parts, model: Model) -> tuple[Standing, ...]:
    newest = {one.version: one for one in parts.registry.deployments.list(model.name)}
    found = [
        Standing(
            version=one.version,
            deployment=one,
            champion=one.version == model.champion,
            behind=followers.progress(parts.store, model.name, one.version).behind,
        )
        for one in newest.values()
        if one.state is not DeploymentState.RETIRED
    ]
    return tuple(sorted(found, key=lambda one: (not one.champion, -one.version)))


def _runs(parts: Parts, model: str) -> list[Run]:
    runs = parts.registry.runs.list(limit=LOOKED_AT)
    return [run for run in runs if model in {run.request.model, run.request.pipeline}][:SHOWN]
