"""Several processes on one store, and processes that die in the middle of a write."""

import os
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support import appender
from support.stores import MODEL, append, prediction
from tiltyard.errors import StaleLeaseError
from tiltyard.stores import open_store
from tiltyard.stores.base import Store, Window

pytestmark = pytest.mark.slow

TESTS = Path(appender.__file__).parents[1]


def start(url: str, gateway: int, *, size: int, count: int) -> subprocess.Popen[str]:
    """Start a process that appends."""
    return subprocess.Popen(
        [sys.executable, appender.__file__, url, str(gateway), str(size), str(count)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )


def expected(upto: int) -> list[int]:
    """Return the seqs of the predictions that an appender writes up to a seq."""
    return [seq for seq in range(upto + 1) if seq % 3 != 2]


def logged(store: Store, gateway: int) -> list[int]:
    """Return the seqs of a gateway's log."""
    return [record.seq for record in store.log(MODEL, gateway, -1, 10**7)]


def test_processes_share_a_new_store(store_url: str) -> None:
    """They may all make it, write at the same time, and see each other's records."""
    children = [start(store_url, gateway, size=50, count=3000) for gateway in (1, 2, 3)]
    for child in children:
        child.communicate(timeout=120)
        assert child.returncode == 0
    store = open_store(store_url)
    assert store.watermarks() == dict.fromkeys((1, 2, 3), 2999)
    assert store.counts(MODEL) == {
        "predictions": 6000,
        "with_actual": 3000,
        "unknown_actuals": 0,
    }
    assert all(logged(store, gateway) == expected(2999) for gateway in (1, 2, 3))
    store.close()


def test_kill_loses_nothing_that_was_acknowledged(store_url: str, long_rounds: bool) -> None:
    """What append returned for is in the log, the log has no gap, and nothing is there twice."""
    random.seed(7)
    store = open_store(store_url)
    for _ in range(20 if long_rounds else 2):
        child = start(store_url, 1, size=30, count=10**9)
        assert child.stdout is not None
        acknowledged = [child.stdout.readline()]
        time.sleep(random.uniform(0.05, 0.5))
        child.kill()
        acknowledged += child.communicate(timeout=60)[0].splitlines()
        last = int(acknowledged[-1])
        mark = store.watermarks()[1]
        assert mark >= last
        assert logged(store, 1) == expected(mark)
        assert store.counts(MODEL)["predictions"] == len(expected(mark))
        scored = store.scored(MODEL, 1, Window())
        with_actual = len(scored) - scored["actual"].null_count
        assert with_actual == store.counts(MODEL)["with_actual"] == (mark + 1) // 3
    store.close()


def test_a_holder_in_another_process_is_fenced_off(store_url: str) -> None:
    """A lease taken over through one process makes the other's writes lose."""
    first, second = open_store(store_url), open_store(store_url)
    stale = first.acquire("relay:1", "one", 0.05)
    assert stale is not None
    time.sleep(0.1)
    assert second.acquire("relay:1", "two", 60) is not None
    with pytest.raises(StaleLeaseError):
        first.append(stale, 1, [prediction(0)])
    assert second.watermarks() == {}
    first.close()
    second.close()


def test_many_threads_use_one_store(store: Store) -> None:
    """Reads and writes of threads do not mix: every batch is whole."""

    def work(gateway: int) -> int:
        for start in range(0, 200, 20):
            append(store, *(prediction(seq, gateway=gateway) for seq in range(start, start + 20)))
            assert len(store.log(MODEL, gateway, -1, 1000)) == start + 20
        return len(store.scored(MODEL, 1, Window())) % 20

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(work, range(1, 9))) == {0}
    assert store.counts(MODEL)["predictions"] == 1600
