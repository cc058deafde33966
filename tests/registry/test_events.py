"""Events tell of every change, in the order of commits."""

import pytest

from support.registry import add_deployed, add_model
from tiltyard.errors import NotFoundError
from tiltyard.registry import Registry, events
from tiltyard.types.registry import RunKind, RunRequest


def test_changes_tell_of_themselves(registry: Registry) -> None:
    """Each in its transaction, with ids that grow."""
    add_deployed(registry, 1)
    registry.champions.promote("bikeshare", 1, None, "first", "ada")
    issued = registry.tokens.issue_application("shop", ["bikeshare"], "ada")
    registry.tokens.revoke(issued.id)
    registry.runs.enqueue(RunRequest(kind=RunKind.PREPARE, pipeline="bikeshare"), "ada")
    registry.gateways.register("one", "http://localhost:1", "/spool")
    registry.gateways.remove("one")
    found = registry.events.after(0)
    assert [event.kind for event in found] == [
        "model.created",
        "version.logged",
        "deployment.starting",
        "deployment.healthy",
        "model.promoted",
        "token.issued",
        "token.revoked",
        "run.queued",
        "gateway.registered",
        "gateway.removed",
    ]
    assert [event.id for event in found] == list(range(1, 11))
    assert [event.model for event in found[:6]] == ["bikeshare"] * 5 + [None]
    assert "tyd_" not in "".join(event.model_dump_json() for event in found)


def test_reading_on_from_an_id(registry: Registry) -> None:
    """The oldest after an id come first, up to a limit."""
    made = [registry.events.add("x.y", None, {"n": n, "ü": [None]}) for n in range(5)]
    assert registry.events.after(0) == made
    assert registry.events.after(2, limit=2) == made[2:4]
    assert registry.events.after(5) == []


def test_a_failed_change_tells_nothing(registry: Registry) -> None:
    """What was not committed did not happen."""
    add_model(registry)
    with pytest.raises(NotFoundError):
        registry.tokens.issue_application("shop", ["bikeshare", "shuttle"], "ada")
    assert [event.kind for event in registry.events.after(0)] == ["model.created"]


def test_only_the_newest_are_kept(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go; ids go on."""
    assert events.KEPT == 10_000
    monkeypatch.setattr(events, "KEPT", 10)
    for number in range(25):
        registry.events.add("x.y", None, {"n": number})
    assert [event.id for event in registry.events.after(0)] == list(range(16, 26))
