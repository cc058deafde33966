"""Models have a name, a task and a call schema that only widens."""

import pytest

from support.registry import COLUMNS, SCHEMA, SEASON, add_model, changed
from tiltyard.errors import ConflictError, InvalidInputError, NotFoundError
from tiltyard.registry import Registry
from tiltyard.types.registry import Thresholds
from tiltyard.types.schema import CallSchema, Column, ColumnType, Task, UnknownLevel


def wider(*columns: Column) -> CallSchema:
    """The schema with more columns."""
    return SCHEMA.model_copy(update={"columns": COLUMNS + columns})


def test_a_model_is_kept_as_it_was_given(registry: Registry) -> None:
    """All fields come back, numbers count up, and the list is by name."""
    thresholds = Thresholds(metric="mae", max_worsening=0.1, webhook="http://localhost/x")
    made = registry.models.create(
        "shuttle", Task.REGRESSION, SCHEMA, "nasa", "ada", thresholds, "Boosters"
    )
    add_model(registry)
    assert registry.models.get("shuttle") == made
    assert (made.call_schema, made.thresholds, made.description) == (SCHEMA, thresholds, "Boosters")
    assert (made.owner_group, made.created_by, made.champion) == ("nasa", "ada", None)
    assert [(m.name, m.number) for m in registry.models.list()] == [
        ("bikeshare", 2),
        ("shuttle", 1),
    ]


def test_thresholds_have_a_default_by_task(registry: Registry) -> None:
    """RMSE for numbers, F1 for classes."""
    add_model(registry)
    classes = SCHEMA.model_copy(update={"target_type": ColumnType.STRING})
    registry.models.create("shuttle", Task.CLASSIFICATION, classes, "nasa", "ada")
    assert [m.thresholds.metric for m in registry.models.list()] == ["rmse", "f1"]


@pytest.mark.parametrize("name", ["", "Bikes", "1bike", "bike share", "b" * 64, "../x", "bikes\n"])
def test_names_that_cannot_be_used(registry: Registry, name: str) -> None:
    """A name goes into paths and URLs."""
    with pytest.raises(InvalidInputError, match="lowercase"):
        add_model(registry, name)


def test_a_name_is_taken_once(registry: Registry) -> None:
    """A second model of the same name is a conflict, an unknown one lists the known."""
    add_model(registry)
    with pytest.raises(ConflictError, match="already"):
        add_model(registry)
    with pytest.raises(NotFoundError, match="Known: bikeshare"):
        registry.models.get("bikes")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"columns": ()}, "no columns"),
        ({"columns": (*COLUMNS, SEASON)}, "'season' is there twice"),
        ({"target": "humidity"}, "no column of a call"),
        ({"target_type": ColumnType.STRING}, "float64, int64, not string"),
        ({"event_time": "when"}, "'when' must be a column"),
        ({"event_time": "humidity"}, "'humidity' must be a column of type datetime"),
    ],
)
def test_call_schemas_that_cannot_be_used(
    registry: Registry, fields: dict[str, object], sentence: str
) -> None:
    """The sentence says what is wrong, and nothing is kept."""
    with pytest.raises(InvalidInputError, match=sentence):
        registry.models.create(
            "bikeshare", Task.REGRESSION, SCHEMA.model_copy(update=fields), "rental", "ada"
        )
    assert registry.models.list() == []


def test_widening(registry: Registry) -> None:
    """New nullable columns, levels and tolerance are taken; levels keep their order."""
    add_model(registry)
    windy = Column(name="wind", type=ColumnType.FLOAT64, nullable=True)
    levels = ("winter", "summer", "spring")
    season = SEASON.model_copy(update={"levels": levels, "nullable": True})
    schema = SCHEMA.model_copy(update={"columns": (*COLUMNS[:-1], season, windy)})
    found = registry.models.widen("bikeshare", schema)
    assert found == registry.models.get("bikeshare")
    assert found.call_schema.column("wind") == windy
    widened = found.call_schema.column("season")
    assert widened is not None
    assert (widened.levels, widened.nullable) == (("spring", "summer", "winter"), True)


@pytest.mark.parametrize(
    ("schema", "sentence"),
    [
        (wider(Column(name="wind", type=ColumnType.FLOAT64)), "'wind' must be nullable"),
        (changed("temperature", type=ColumnType.INT64), "'temperature' is float64 and stays so"),
        (changed("humidity", nullable=False), "'humidity' is nullable and stays so"),
        (changed("season", levels=("summer",)), "'season' lost the levels 'spring'"),
        (changed("season", unknown=UnknownLevel.REFUSE), "'season' takes unknown levels"),
        (SCHEMA.model_copy(update={"columns": COLUMNS[:-1]}), "'season' is missing"),
        (SCHEMA.model_copy(update={"target": "count"}), "target is rentals and stays so"),
        (SCHEMA.model_copy(update={"target_type": ColumnType.FLOAT64}), "target_type is int64"),
        (SCHEMA.model_copy(update={"event_time": None}), "event_time is at and stays so"),
    ],
)
def test_narrowing_is_refused(registry: Registry, schema: CallSchema, sentence: str) -> None:
    """Each difference is named, and the schema stays."""
    add_model(registry)
    with pytest.raises(InvalidInputError, match=sentence):
        registry.models.widen("bikeshare", schema)
    assert registry.models.get("bikeshare").call_schema == SCHEMA


def test_all_narrowings_are_named_at_once(registry: Registry) -> None:
    """Nobody has to come back for each."""
    add_model(registry)
    schema = changed("humidity", nullable=False).model_copy(update={"target": "count"})
    with pytest.raises(InvalidInputError) as caught:
        registry.models.widen("bikeshare", schema)
    assert len(caught.value.details["faults"]) == 2


def test_the_same_schema_changes_nothing(registry: Registry) -> None:
    """Neither routes nor events tell of a widening that is none."""
    add_model(registry)
    before = registry.routes.number(), registry.events.after(0)
    registry.models.widen("bikeshare", SCHEMA)
    assert (registry.routes.number(), registry.events.after(0)) == before


def test_update_sets_what_is_given(registry: Registry) -> None:
    """Thresholds and description change by themselves; unknown models are not found."""
    add_model(registry)
    registry.models.update("bikeshare", description="Washington")
    registry.models.update("bikeshare", Thresholds(metric="mae"))
    found = registry.models.update("bikeshare")
    assert (found.description, found.thresholds.metric) == ("Washington", "mae")
    with pytest.raises(NotFoundError):
        registry.models.update("bikes", description="")
