"""Models over HTTP, and waiting while the registry is away."""

import asyncio
from typing import Any

import pytest

from support.control import Control
from tiltyard.control.changes import Changes, Snapshot
from tiltyard.errors import InvalidInputError, UnavailableError
from tiltyard.types.registry import Thresholds
from tiltyard.types.schema import CallSchema

SCHEMA = CallSchema.model_validate(
    {
        "columns": [{"name": "x", "type": "float64"}],
        "target": "y",
        "target_type": "float64",
    }
)


def put(control: Control, schema: CallSchema = SCHEMA, **told: Any) -> None:
    """Make or widen the model cars."""
    control.client("scientist").put_model("cars", told.pop("task", "regression"), schema, **told)


def test_a_model_can_be_made_before_its_history(control: Control) -> None:
    """With thresholds and a description; its owner group is its maker's."""
    put(control, thresholds=Thresholds(metric="mae"), description="Cars by the hour")
    model = control.client("viewer").model("cars")
    assert (model.owner_group, model.description) == ("lab", "Cars by the hour")
    assert model.thresholds.metric == "mae"
    assert [m.name for m in control.client("viewer").models()] == ["cars"]


def test_a_call_schema_only_widens(control: Control) -> None:
    """A new column must be nullable; the same again changes nothing."""
    put(control)
    put(control)
    wider = {"name": "z", "type": "string"}
    with pytest.raises(InvalidInputError, match="'z' must be nullable"):
        put(control, with_column(wider))
    put(control, with_column(wider | {"nullable": True}))
    assert [c.name for c in control.client().model("cars").call_schema.columns] == ["x", "z"]


def with_column(column: dict[str, Any]) -> CallSchema:
    """Return the schema with one more column."""
    told = SCHEMA.model_dump(mode="json")
    return CallSchema.model_validate(told | {"columns": [*told["columns"], column]})


def test_task_and_group_stay(control: Control) -> None:
    """Neither is changed by making the model again."""
    put(control)
    with pytest.raises(InvalidInputError, match="is a regression and stays so"):
        put(control, task="classification")
    with pytest.raises(InvalidInputError, match="group 'lab' and stays so"):
        put(control, owner_group="others")


def test_a_change_leaves_what_is_not_given(control: Control) -> None:
    """Thresholds or description, each by itself."""
    put(control, description="Cars")
    client = control.client("scientist")
    client.patch_model("cars", thresholds=Thresholds(metric="mae"))
    model = client.patch_model("cars", description="All cars")
    assert (model.thresholds.metric, model.description) == ("mae", "All cars")


async def test_who_waits_is_woken_after_the_registry_was_away() -> None:
    """A look that fails is tried again."""
    looks = 0

    def look() -> Snapshot:
        nonlocal looks
        looks += 1
        if looks in {2, 3}:
            raise UnavailableError("away")
        return Snapshot(route_number=looks, confirmed={}, event=0)

    changes = Changes(look, poll_s=0.01)
    async with changes.running():
        assert await changes.until(lambda now: now.route_number >= 5, 10)


async def test_whoever_waits_at_the_end_is_let_go() -> None:
    """Nobody holds up the end of control, nor begins to wait after it."""
    changes = Changes(lambda: Snapshot(1, {}, 0), poll_s=0.01)
    async with changes.running():
        waiting = asyncio.create_task(changes.until(lambda now: now.route_number > 1, 60))
        await asyncio.sleep(0.05)
        changes.close()
        assert await waiting is False
        assert await changes.until(lambda now: now.route_number > 1, 60) is False
