"""The champion is changed by compare-and-swap, with a line in the ledger."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from support.registry import add_deployed, add_model, add_version, deploy
from tiltyard.errors import (
    ConflictError,
    InvalidInputError,
    LostRaceError,
    NotDeployedError,
    NotFoundError,
)
from tiltyard.registry import Registry
from tiltyard.registry.tables import champions
from tiltyard.types.registry import DeploymentState, LedgerHead


def promote(registry: Registry, version: int, expected: int | None) -> None:
    """Promote for no particular reason."""
    registry.champions.promote("bikeshare", version, expected, "tests", "ada")


def moves(registry: Registry) -> list[tuple[str, int | None, int | None]]:
    """What the ledger says was done."""
    entries = registry.champions.ledger("bikeshare")
    return [(e.action, e.from_version, e.to_version) for e in entries]


def test_a_promotion_tells_everything(registry: Registry) -> None:
    """Pointer, ledger, route number and event belong together."""
    add_deployed(registry, 2)
    promote(registry, 1, None)
    before = registry.routes.number()
    evidence = {"metric": "rmse", "champion": 41.5, "rows": [1, 2], "größe": None}
    made = registry.champions.promote("bikeshare", 2, 1, "better in April", "bob", evidence)
    assert registry.models.get("bikeshare").champion == 2
    assert (made.route_number, made.waiting_for) == (before + 1, ())
    assert registry.routes.number() == made.route_number
    entry = registry.champions.ledger("bikeshare")[-1]
    assert entry == made.entry
    assert (entry.number, entry.who, entry.reason) == (2, "bob", "better in April")
    assert (entry.action, entry.from_version, entry.to_version) == ("promote", 1, 2)
    assert entry.evidence == evidence
    assert datetime.now(UTC) - entry.at < timedelta(minutes=1)
    assert registry.champions.head("bikeshare") == LedgerHead(length=2, hash=entry.hash)
    event = registry.events.after(0)[-1]
    assert (event.kind, event.model, event.data["to"]) == ("model.promoted", "bikeshare", 2)


def test_what_cannot_be_promoted(registry: Registry) -> None:
    """Each refusal has its error, and none leaves a trace."""
    add_deployed(registry, 1)
    add_version(registry)
    promote(registry, 1, None)
    before = registry.routes.table(), registry.events.after(0)
    with pytest.raises(NotFoundError, match="version 'bikeshare 3'"):
        promote(registry, 3, 1)
    with pytest.raises(NotFoundError, match="model 'shuttle'"):
        registry.champions.promote("shuttle", 1, None, "tests", "ada")
    with pytest.raises(NotDeployedError, match="tiltyard deploy bikeshare 2"):
        promote(registry, 2, 1)
    with pytest.raises(LostRaceError, match="is version 1, not none"):
        promote(registry, 2, None)
    with pytest.raises(ConflictError, match="the champion already"):
        promote(registry, 1, 1)
    deploy(registry, 2)
    for reason in ("", "  \n"):
        with pytest.raises(InvalidInputError, match="reason"):
            registry.champions.promote("bikeshare", 2, 1, reason, "ada")
    with pytest.raises(InvalidInputError, match="evidence"):
        registry.champions.promote("bikeshare", 2, 1, "tests", "ada", {"psi": float("nan")})
    registry.deployments.retire("bikeshare", 2)
    assert registry.routes.table().models[0] == before[0].models[0]
    assert not [e for e in registry.events.after(before[1][-1].id) if e.kind == "model.promoted"]


@pytest.mark.parametrize("state", [DeploymentState.FAILED, DeploymentState.REFUSED])
def test_only_a_healthy_version_is_promoted(registry: Registry, state: DeploymentState) -> None:
    """One that failed, or did not repeat its golden rows, answers nobody."""
    add_deployed(registry, 1)
    (only,) = registry.deployments.list()
    registry.deployments.set_state(only.id, state, "why")
    with pytest.raises(NotDeployedError):
        promote(registry, 1, None)


def test_the_pointer_needs_an_existing_version(registry: Registry) -> None:
    """The database itself keeps a champion that does not exist out."""
    add_deployed(registry, 1)
    with pytest.raises(IntegrityError), registry.database.write() as connection:
        connection.execute(insert(champions).values(model="bikeshare", version=7))


def test_rolling_back_goes_one_champion_back_each_time(registry: Registry) -> None:
    """1, 2, 3: back to 2, back to 1, and then there is none."""
    add_deployed(registry, 3)
    for version, expected in ((1, None), (2, 1), (3, 2)):
        promote(registry, version, expected)
    made = registry.champions.rollback("bikeshare", "worse", "bob")
    assert (made.entry.action, made.entry.from_version, made.entry.to_version) == ("rollback", 3, 2)
    registry.champions.rollback("bikeshare", "worse", "bob", expected_champion=2)
    assert registry.models.get("bikeshare").champion == 1
    with pytest.raises(ConflictError, match="no earlier champion"):
        registry.champions.rollback("bikeshare", "worse", "bob")
    promote(registry, 3, 1)
    registry.champions.rollback("bikeshare", "worse", "bob")
    assert moves(registry)[-2:] == [("promote", 1, 3), ("rollback", 3, 1)]


def test_what_cannot_be_rolled_back(registry: Registry) -> None:
    """No champion, none before, another champion than expected, one that runs no more."""
    add_deployed(registry, 2)
    with pytest.raises(ConflictError, match="no earlier champion"):
        registry.champions.rollback("bikeshare", "worse", "bob")
    promote(registry, 1, None)
    promote(registry, 2, 1)
    with pytest.raises(LostRaceError):
        registry.champions.rollback("bikeshare", "worse", "bob", expected_champion=1)
    with pytest.raises(InvalidInputError, match="reason"):
        registry.champions.rollback("bikeshare", "", "bob")
    registry.deployments.retire("bikeshare", 1)
    with pytest.raises(NotDeployedError):
        registry.champions.rollback("bikeshare", "worse", "bob")
    with pytest.raises(NotFoundError):
        registry.champions.rollback("shuttle", "worse", "bob")
    assert len(moves(registry)) == 2


def test_when_a_champion_was_demoted(registry: Registry) -> None:
    """The last time counts; a version that never was champion has none."""
    add_deployed(registry, 2)
    for version, expected in ((1, None), (2, 1), (1, 2), (2, 1)):
        promote(registry, version, expected)
    entries = registry.champions.ledger("bikeshare")
    assert registry.champions.demoted_at("bikeshare", 1) == entries[3].at
    assert registry.champions.demoted_at("bikeshare", 2) == entries[2].at
    assert registry.champions.demoted_at("bikeshare", 3) is None


def test_a_new_model_has_an_empty_ledger(registry: Registry) -> None:
    """Length 0 and no hash; an unknown model has none at all."""
    add_model(registry)
    assert registry.champions.ledger("bikeshare") == []
    assert registry.champions.head("bikeshare") == LedgerHead()
    for ask in (registry.champions.ledger, registry.champions.head, registry.champions.verify):
        with pytest.raises(NotFoundError):
            ask("shuttle")
