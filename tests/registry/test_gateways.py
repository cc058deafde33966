"""Gateways are numbered by their spools, for ever."""

import pytest

from support.registry import add_model
from tiltyard.errors import ConflictError, InvalidInputError, NotFoundError
from tiltyard.registry import Registry
from tiltyard.types.registry import LedgerHead

URL = "http://127.0.0.1:8701"
A, B, C = (LedgerHead(length=n, hash=str(n) * 64) for n in (1, 2, 3))


def test_a_spool_keeps_its_number(registry: Registry) -> None:
    """A new spool gets a new number, an old one its own, under whatever name."""
    assert registry.gateways.register("one", URL, "/spool/a").number == 1
    assert registry.gateways.register("two", URL, "/spool/b").number == 2
    assert registry.gateways.register("one", URL + "0", "/spool/a").number == 1
    assert registry.gateways.register("one", URL, "/spool/c").number == 3
    assert registry.gateways.register("three", URL, "/spool/a").number == 1
    assert [(g.name, g.number, g.spool) for g in registry.gateways.list()] == [
        ("one", 3, "/spool/c"),
        ("three", 1, "/spool/a"),
        ("two", 2, "/spool/b"),
    ]


def test_a_number_is_never_given_twice(registry: Registry) -> None:
    """Not after the gateway, the newest one, was removed."""
    registry.gateways.register("one", URL, "/spool/a")
    registry.gateways.remove("one")
    assert registry.gateways.register("one", URL, "/spool/b").number == 2
    registry.gateways.remove("one")
    assert registry.gateways.register("one", URL, "/spool/a").number == 1
    with pytest.raises(NotFoundError, match="Known: one"):
        registry.gateways.remove("two")


def test_a_spool_has_one_writer(registry: Registry) -> None:
    """Two registered gateways on one folder would lend each other's numbers."""
    registry.gateways.register("one", URL, "/spool/a")
    with pytest.raises(ConflictError, match="tiltyard gateway remove one"):
        registry.gateways.register("two", URL, "/spool/a")


@pytest.mark.parametrize(
    "texts", [("", URL, "s"), ("g", "", "s"), ("g", URL, ""), ("g", URL, "s" * 701)]
)
def test_texts_that_cannot_be_used(registry: Registry, texts: tuple[str, str, str]) -> None:
    """Empty or too long for the tables."""
    with pytest.raises(InvalidInputError, match="characters"):
        registry.gateways.register(*texts)


def test_confirmations_only_grow(registry: Registry) -> None:
    """A late one does not take back what was confirmed; a start does."""
    registry.gateways.register("one", URL, "/spool/a")
    issue_routes(registry, 5)
    assert registry.gateways.confirm("one", 4, {}).confirmed_route == 4
    assert registry.gateways.confirm("one", 2, {}).confirmed_route == 4
    assert registry.gateways.register("one", URL, "/spool/a").confirmed_route == 0
    with pytest.raises(NotFoundError):
        registry.gateways.confirm("two", 1, {})


def test_routes_that_are_not_there_are_not_confirmed(registry: Registry) -> None:
    """A gateway that is ahead of a restored registry may not pass for up to date."""
    registry.gateways.register("one", URL, "/spool/a")
    issue_routes(registry, 2)
    with pytest.raises(ConflictError, match="backup"):
        registry.gateways.confirm("one", 3, {"bikeshare": A})
    assert registry.gateways.list()[0].confirmed_route == 0
    assert registry.gateways.heads("bikeshare") == []


def test_heads_of_ledgers_stay(registry: Registry) -> None:
    """Every head is kept once, in order, also when its gateway is gone; empty ones are none."""
    for name in ("one", "two"):
        registry.gateways.register(name, URL, name)
    registry.gateways.confirm("one", 0, {"bikeshare": B, "shuttle": A, "new": LedgerHead()})
    registry.gateways.confirm("two", 0, {"bikeshare": A})
    registry.gateways.confirm("two", 0, {"bikeshare": B})
    registry.gateways.confirm("two", 0, {"bikeshare": C})
    registry.gateways.remove("two")
    assert registry.gateways.heads("bikeshare") == [A, B, C]
    assert registry.gateways.heads("shuttle") == [A]
    assert registry.gateways.heads("new") == []


def issue_routes(registry: Registry, count: int) -> None:
    """Change the routes some times."""
    for number in range(count):
        add_model(registry, f"m{number}")
