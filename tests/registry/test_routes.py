"""The route table follows every change that shapes it, under the next number."""

from collections.abc import Callable

import pytest

from support.registry import COLUMNS, SCHEMA, SOCKETS, add_deployed, add_model, add_version, deploy
from tiltyard.errors import LostRaceError
from tiltyard.registry import Registry
from tiltyard.types.registry import DeploymentState, LedgerHead, Thresholds
from tiltyard.types.routes import ModelRoute, RouteTable
from tiltyard.types.schema import Column, ColumnType


def route(registry: Registry) -> ModelRoute:
    """The route of the bikes."""
    found = registry.routes.table().model("bikeshare")
    assert found is not None
    return found


def challengers(registry: Registry) -> list[int]:
    """Versions that follow."""
    return [challenger.version for challenger in route(registry).challengers]


def test_a_new_registry_has_empty_routes(registry: Registry) -> None:
    """Number 0, no models, no tokens."""
    table = registry.routes.table()
    assert table == RouteTable(number=0, id_key=table.id_key)


def test_a_model_without_champion(registry: Registry) -> None:
    """Healthy versions are challengers; those that start or failed are not there."""
    add_deployed(registry, 2)
    add_version(registry)
    starting = registry.deployments.create("bikeshare", 3, "process", 1, "sklearn", SOCKETS, "ada")
    found = route(registry)
    assert (found.champion, found.call_schema, found.number) == (None, SCHEMA, 1)
    assert challengers(registry) == [1, 2]
    first = found.challengers[0]
    (deployment, _, _) = registry.deployments.list()
    assert (first.deployment, first.endpoints) == (deployment.id, deployment.endpoints)
    assert first.signature == registry.versions.get("bikeshare", 1).manifest.signature
    registry.deployments.set_state(starting.id, DeploymentState.REFUSED, "row 3")
    assert challengers(registry) == [1, 2]


def test_the_champion_answers_and_the_others_follow(registry: Registry) -> None:
    """The champion is no challenger; the head of its ledger travels along."""
    add_deployed(registry, 3)
    made = registry.champions.promote("bikeshare", 2, None, "first", "ada")
    found = route(registry)
    assert found.champion is not None
    assert (found.champion.version, challengers(registry)) == (2, [1, 3])
    assert found.ledger == LedgerHead(length=1, hash=made.entry.hash)


def test_a_champion_that_fails_keeps_its_place(registry: Registry) -> None:
    """It has no endpoints until it, or a new deployment of it, is healthy."""
    add_deployed(registry, 1)
    registry.champions.promote("bikeshare", 1, None, "first", "ada")
    (only,) = registry.deployments.list()
    registry.deployments.set_state(only.id, DeploymentState.FAILED, "killed")
    champion = route(registry).champion
    assert champion is not None
    assert (champion.version, champion.endpoints, champion.deployment) == (1, (), "")
    again = deploy(registry, 1)
    champion = route(registry).champion
    assert champion is not None
    assert (champion.deployment, champion.endpoints) == (again.id, again.endpoints)


def test_tokens_of_applications_travel_and_those_of_people_do_not(registry: Registry) -> None:
    """Only the SHA-256 of a text is there."""
    add_model(registry)
    issued = registry.tokens.issue_application("shop", ["bikeshare"], "ada")
    registry.tokens.issue_principal("ada", [], [], "root")
    (token,) = registry.routes.table().tokens
    assert (token.name, token.models) == ("shop", ("bikeshare",))
    assert issued.token not in registry.routes.table().model_dump_json()


def widen(registry: Registry) -> object:
    """Add a column to the calls."""
    wind = Column(name="wind", type=ColumnType.FLOAT64, nullable=True)
    schema = SCHEMA.model_copy(update={"columns": (*COLUMNS, wind)})
    return registry.models.widen("bikeshare", schema)


CHANGES: dict[str, Callable[[Registry], object]] = {
    "model": lambda r: add_model(r, "shuttle"),
    "widen": widen,
    "promote": lambda r: r.champions.promote("bikeshare", 2, 1, "next", "ada"),
    "healthy": lambda r: deploy(r, 3),
    "failed": lambda r: r.deployments.set_state(r.deployments.list()[1].id, DeploymentState.FAILED),
    "retire": lambda r: r.deployments.retire("bikeshare", 2),
    "retire version": lambda r: r.versions.retire("bikeshare", 2),
    "issue": lambda r: r.tokens.issue_application("web", ["bikeshare"], "ada"),
    "revoke": lambda r: r.tokens.revoke(r.tokens.list()[0].id),
}
NO_CHANGES: dict[str, Callable[[Registry], object]] = {
    "version": add_version,
    "update": lambda r: r.models.update("bikeshare", Thresholds(metric="mae"), "text"),
    "starting": lambda r: r.deployments.create(
        "bikeshare", 3, "process", 1, "sklearn", SOCKETS, "ada"
    ),
    "gateway": lambda r: r.gateways.register("gateway", "http://localhost:1", "spool"),
    "principal": lambda r: r.tokens.issue_principal("bob", [], [], "ada"),
    "unhealthy": lambda r: r.versions.retire("bikeshare", 3),
}


@pytest.fixture
def busy(registry: Registry) -> RouteTable:
    """A registry in use; its present routes."""
    add_deployed(registry, 2)
    add_version(registry)
    registry.champions.promote("bikeshare", 1, None, "first", "ada")
    registry.tokens.issue_application("shop", ["bikeshare"], "ada")
    return registry.routes.table()


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_takes_the_next_number(registry: Registry, busy: RouteTable, change: str) -> None:
    """The table differs, and its number is exactly one more."""
    CHANGES[change](registry)
    table = registry.routes.table()
    assert table.number == registry.routes.number() == busy.number + 1
    assert table.model_copy(update={"number": busy.number}) != busy


@pytest.mark.parametrize("change", NO_CHANGES)
def test_what_does_not_shape_routes_takes_none(
    registry: Registry, busy: RouteTable, change: str
) -> None:
    """Gateways are not woken for nothing."""
    NO_CHANGES[change](registry)
    assert registry.routes.table() == busy


def test_a_refused_change_takes_no_number(registry: Registry, busy: RouteTable) -> None:
    """An error takes the number back."""
    with pytest.raises(LostRaceError):
        registry.champions.promote("bikeshare", 2, 7, "next", "ada")
    assert registry.routes.number() == busy.number
