"""Whoever changes a ledger behind the registry's back is found."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, select, text, update

from support.registry import add_deployed
from tiltyard.registry import Registry
from tiltyard.registry.tables import champions, ledger
from tiltyard.types.registry import LedgerHead

SAID = {"number", "model", "at", "who", "action", "from", "to", "reason", "evidence"}
MOVES = (1, 2, 3, 2, 1)


@pytest.fixture
def heads(registry: Registry) -> list[LedgerHead]:
    """The heads that a gateway saw while five promotions were made."""
    add_deployed(registry, 3)
    champion, seen = None, []
    for version in MOVES:
        registry.champions.promote("bikeshare", version, champion, f"to {version}", "ada", {"n": 1})
        champion = version
        seen.append(registry.champions.head("bikeshare"))
    return seen


def edit(registry: Registry, number: int, /, **values: Any) -> None:
    """Write columns of an entry."""
    with registry.database.write() as connection:
        connection.execute(update(ledger).where(ledger.c.number == number).values(values))


def remove(registry: Registry, *numbers: int) -> None:
    """Delete entries."""
    with registry.database.write() as connection:
        connection.execute(delete(ledger).where(ledger.c.number.in_(numbers)))


def point(registry: Registry, version: int) -> None:
    """Move the pointer alone."""
    with registry.database.write() as connection:
        connection.execute(update(champions).values(version=version))


def forge(registry: Registry, number: int, **said: Any) -> None:
    """Rewrite an entry and all hashes after it, as one would who knows the algorithm."""
    previous = ""
    with registry.database.write() as connection:
        for row in connection.execute(select(ledger).order_by(ledger.c.number)).mappings().all():
            values = json.loads(row["stored"]) | (said if row["number"] == number else {})
            stored = json.dumps(values, sort_keys=True, separators=(",", ":")).encode()
            digest = hashlib.sha256(previous.encode("ascii") + stored).hexdigest()
            columns = {"reason": values["reason"], "stored": stored}
            chosen = ledger.c.number == row["number"]
            new = {**columns, "previous_hash": previous, "hash": digest}
            connection.execute(update(ledger).where(chosen).values(new))
            previous = digest


def test_a_whole_ledger_has_no_faults(registry: Registry, heads: list[LedgerHead]) -> None:
    """With and without a gateway's heads, and for an old head too."""
    assert registry.champions.verify("bikeshare") == []
    assert registry.champions.verify("bikeshare", heads) == []


@pytest.mark.usefixtures("heads")
def test_the_chain_is_as_documented(registry: Registry) -> None:
    """SHA-256 of the previous hash and the stored canonical JSON, recomputed here."""
    previous = ""
    with registry.database.read() as connection:
        rows = connection.execute(select(ledger).order_by(ledger.c.number)).mappings().all()
    for row in rows:
        previous = hashlib.sha256(previous.encode("ascii") + row["stored"]).hexdigest()
        assert row["hash"] == previous
    assert set(json.loads(rows[1]["stored"])) == SAID
    assert json.loads(rows[1]["stored"])["at"].endswith("+00:00")


@pytest.mark.usefixtures("heads")
@pytest.mark.parametrize(
    ("column", "value", "named"),
    [
        ("at", 1, "at"),
        ("who", "eve", "who"),
        ("action", "rollback", "action"),
        ("from_version", 3, "from"),
        ("to_version", 1, "to"),
        ("reason", "none", "reason"),
        ("evidence", '{"n":2}', "evidence"),
        ("evidence", '{"n": 1}', "evidence"),
        ("hash", "0" * 64, "hash"),
        ("previous_hash", "0" * 64, "previous hash"),
        ("stored", b"{}", "stored bytes"),
        ("stored", b"\xff", "stored bytes"),
    ],
)
def test_an_edited_column_is_found(
    registry: Registry, column: str, value: object, named: str
) -> None:
    """Every column counts, also those that are only shown; the entry is named."""
    edit(registry, 3, **{column: value})
    faults = registry.champions.verify("bikeshare")
    assert any("Entry 3 " in fault and named in fault for fault in faults), faults


@pytest.mark.usefixtures("heads")
def test_a_value_of_another_type_is_found(registry: Registry) -> None:
    """SQLite keeps whatever is written; an entry of nonsense is edited, not a crash."""
    edit(registry, 3, evidence="nonsense")
    with registry.database.write() as connection:
        connection.execute(text("UPDATE ledger SET at = 'yesterday' WHERE number = 2"))
    faults = registry.champions.verify("bikeshare")
    assert [fault[:7] for fault in faults] == ["Entry 2", "Entry 3"]
    with registry.database.write() as connection:
        connection.execute(text("UPDATE ledger SET stored = 'text' WHERE number = 4"))
        connection.execute(text("UPDATE ledger SET number = 'five' WHERE number = 5"))
    faults = registry.champions.verify("bikeshare")
    assert [fault[:10] for fault in faults[:2]] == ["Entry 4 of", "Entry five"]


def test_edited_bytes_and_hash_break_the_chain(registry: Registry, heads: list[LedgerHead]) -> None:
    """An entry with a right hash of wrong bytes does not fit the one after it."""
    assert heads
    with registry.database.read() as connection:
        row = connection.execute(select(ledger).where(ledger.c.number == 3)).mappings().one()
    stored = row["stored"].replace(b"ada", b"eve")
    digest = hashlib.sha256(row["previous_hash"].encode() + stored).hexdigest()
    edit(registry, 3, stored=stored, who="eve", hash=digest)
    assert registry.champions.verify("bikeshare") == [
        "Entry 4 of bikeshare's ledger does not follow entry 3: its previous hash is another one."
    ]


@pytest.mark.usefixtures("heads")
@pytest.mark.parametrize(
    ("gone", "named"), [((1,), "1 to 1"), ((3,), "3 to 3"), ((2, 3), "2 to 3")]
)
def test_removed_entries_are_found(registry: Registry, gone: tuple[int, ...], named: str) -> None:
    """A gap at the beginning or in the middle is named."""
    remove(registry, *gone)
    faults = registry.champions.verify("bikeshare")
    assert faults == [f"Entries {named} of bikeshare's ledger are missing."]


@pytest.mark.usefixtures("heads")
def test_a_renumbered_gap_is_found(registry: Registry) -> None:
    """Closing the gap by new numbers breaks the chain and the stored bytes."""
    remove(registry, 3)
    edit(registry, 4, number=3)
    edit(registry, 5, number=4)
    faults = registry.champions.verify("bikeshare")
    assert any("does not follow entry 2" in fault for fault in faults)
    assert any("number differ" in fault for fault in faults)


def test_a_cut_tail_is_found_by_the_pointer_or_a_head(
    registry: Registry, heads: list[LedgerHead]
) -> None:
    """The pointer gives it away; when it was moved too, a gateway's head does."""
    remove(registry, 4, 5)
    assert registry.champions.verify("bikeshare") == [
        "The champion of bikeshare is version 1, but its ledger ends with version 3."
    ]
    point(registry, 3)
    assert registry.champions.verify("bikeshare", heads[:3]) == []
    assert registry.champions.verify("bikeshare", heads[-1:]) == [
        "bikeshare's ledger was cut: it has 3 entries, a gateway has seen 5."
    ]


def test_a_new_chain_is_found_by_a_head(registry: Registry, heads: list[LedgerHead]) -> None:
    """Who can write the database can make a chain that fits; it is not the one that was seen."""
    forge(registry, 4, reason="of course")
    assert registry.champions.verify("bikeshare") == []
    assert registry.champions.verify("bikeshare", heads[:3]) == []
    assert registry.champions.verify("bikeshare", heads[2:4]) == [
        "bikeshare's ledger was replaced: entry 4 is not the one that a gateway has seen."
    ]


def test_a_new_chain_that_grew_is_found_by_an_older_head(
    registry: Registry, heads: list[LedgerHead]
) -> None:
    """Heads are kept, not only the last: going on after a forgery does not hide it."""
    registry.gateways.register("gateway", "http://localhost:1", "spool")
    registry.gateways.confirm("gateway", 0, {"bikeshare": heads[-1]})
    forge(registry, 4, reason="of course")
    registry.champions.promote("bikeshare", 2, 1, "on", "eve")
    registry.gateways.confirm("gateway", 0, {"bikeshare": registry.champions.head("bikeshare")})
    faults = registry.champions.verify("bikeshare", registry.gateways.heads("bikeshare"))
    assert len(faults) == 1
    assert "entry 5 is not the one" in faults[0]


@pytest.mark.parametrize("pointer_too", [False, True])
def test_a_ledger_that_is_gone_is_found(
    registry: Registry, heads: list[LedgerHead], pointer_too: bool
) -> None:
    """An empty table is no clean slate."""
    remove(registry, *range(1, 6))
    if pointer_too:
        with registry.database.write() as connection:
            connection.execute(delete(champions))
        assert registry.champions.verify("bikeshare") == []
    faults = registry.champions.verify("bikeshare", heads[-1:])
    assert faults[0] == "bikeshare's ledger was cut: it has 0 entries, a gateway has seen 5."
    assert len(faults) == (1 if pointer_too else 2)


@pytest.mark.usefixtures("heads")
def test_a_moved_pointer_is_found(registry: Registry) -> None:
    """A champion that no entry made is none."""
    point(registry, 3)
    (fault,) = registry.champions.verify("bikeshare")
    assert fault == "The champion of bikeshare is version 3, but its ledger ends with version 1."


def test_a_model_that_only_a_gateway_knows_is_found(registry: Registry) -> None:
    """A registry from which all of a model was removed does not verify."""
    (fault,) = registry.champions.verify("shuttle", [LedgerHead(length=2, hash="0" * 64)])
    assert "has 0 entries" in fault


def test_tampering_of_one_model_is_not_anothers(
    registry: Registry, heads: list[LedgerHead], without_model: Callable[[], None]
) -> None:
    """Each model has a chain of its own."""
    assert heads
    without_model()
    assert registry.champions.verify("shuttle") == []
    assert registry.champions.verify("bikeshare") != []


@pytest.fixture
def without_model(registry: Registry) -> Callable[[], None]:
    """Add a second model with a champion, then cut the first one's ledger."""

    def cut() -> None:
        add_deployed(registry, 1, "shuttle")
        registry.champions.promote("shuttle", 1, None, "first", "ada")
        with registry.database.write() as connection:
            chosen = (ledger.c.model == "bikeshare") & (ledger.c.number == 5)
            connection.execute(delete(ledger).where(chosen))

    return cut
