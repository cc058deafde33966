"""Of many who promote, or claim, at once, one wins and the others are told."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from support.registry import add_deployed
from tiltyard.errors import LostRaceError
from tiltyard.registry import Registry, open_registry
from tiltyard.types.registry import RunKind, RunRequest

RIVAL = """
import sys
from tiltyard.errors import LostRaceError
from tiltyard.registry import open_registry

url, mine, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with open_registry(url) as registry:
    print("ready", flush=True)
    sys.stdin.readline()
    won = []
    while (head := registry.champions.head("bikeshare")).length < rounds:
        champion = registry.models.get("bikeshare").champion
        target = 1 + (champion or 0) % 3
        try:
            made = registry.champions.promote(
                "bikeshare", target, champion, f"rival {mine}", str(mine)
            )
            won.append(made.entry.number)
        except LostRaceError:
            pass
print(won)
"""


def test_one_thread_wins(registry: Registry, url: str) -> None:
    """Eight threads on two engines expect no champion: one promotion, seven lost races."""
    add_deployed(registry, 8)
    barrier = Barrier(8)
    with open_registry(url) as other, ThreadPoolExecutor(8) as pool:

        def promote(version: int) -> int:
            barrier.wait(timeout=20)
            doors = (registry, other)[version % 2].champions
            try:
                return doors.promote("bikeshare", version, None, "race", "x").entry.number
            except LostRaceError:
                return 0

        outcomes = list(pool.map(promote, range(1, 9)))
    assert sorted(outcomes) == [0] * 7 + [1]
    assert registry.models.get("bikeshare").champion == outcomes.index(1) + 1
    assert registry.champions.verify("bikeshare") == []


def test_readers_never_see_half_a_promotion(registry: Registry) -> None:
    """In every table the champion is the last line of the ledger, whoever writes meanwhile."""
    add_deployed(registry, 2)
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(_back_and_forth, registry, 40)
        seen = set()
        while not writing.done():
            table = registry.routes.table()
            route = table.models[0]
            champion = route.champion.version if route.champion else None
            assert (
                champion
                == (None, 1, 2)[0 if not route.ledger.length else 2 - route.ledger.length % 2]
            )
            seen.add(table.number)
        writing.result()
    assert registry.champions.head("bikeshare").length == 40
    assert seen


def _back_and_forth(registry: Registry, count: int) -> None:
    champion = None
    for number in range(count):
        version = 1 + number % 2
        registry.champions.promote("bikeshare", version, champion, "again", "x")
        champion = version


@pytest.mark.slow
def test_two_processes_take_turns(registry: Registry, url: str) -> None:
    """Each line of the ledger was won by exactly one of two processes; the chain is whole."""
    add_deployed(registry, 3)
    command = [sys.executable, "-c", RIVAL, url]
    rivals = [
        subprocess.Popen(
            [*command, str(n), "60"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for n in (1, 2)
    ]
    try:
        for rival in rivals:
            assert rival.stdout
            assert rival.stdout.readline() == "ready\n"
        won = [set(eval(rival.communicate("go\n", timeout=120)[0])) for rival in rivals]  # noqa: S307  a list of numbers, printed by RIVAL
    finally:
        for rival in rivals:
            rival.kill()
    entries = registry.champions.ledger("bikeshare")
    assert not won[0] & won[1]
    assert won[0] | won[1] == {entry.number for entry in entries}
    assert {entry.number: entry.who for entry in entries} == {
        number: str(n) for n, numbers in enumerate(won, 1) for number in numbers
    }
    assert registry.champions.verify("bikeshare") == []


def test_a_run_is_claimed_once(registry: Registry, url: str) -> None:
    """Runners that ask at once get different runs."""
    for _ in range(12):
        registry.runs.enqueue(RunRequest(kind=RunKind.PREPARE, pipeline="bikeshare"), "ada")
    with open_registry(url) as other, ThreadPoolExecutor(8) as pool:

        def claim(number: int) -> str:
            run = (registry, other)[number % 2].runs.claim(f"runner {number}", 60)
            return run.id if run else ""

        claimed = list(pool.map(claim, range(16)))
    assert len(set(claimed) - {""}) == 12
    assert claimed.count("") == 4
