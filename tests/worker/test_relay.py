"""The relay, from a spool that a real writer filled into a real store."""

import logging
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.worker import FIRST_SEQ, fill_spool, take
from tiltyard.errors import IntegrityError, StaleLeaseError, UnavailableError
from tiltyard.spool import SpoolReader, open_spool
from tiltyard.stores import open_store
from tiltyard.stores.base import Store, relay_task
from tiltyard.types.records import EPOCH_BITS, PredictionRecord
from tiltyard.worker.jobs import Pace, TaskThread
from tiltyard.worker.relay import Relay

RELAYING = """
import sys, time
from pathlib import Path
from tiltyard.stores import open_store
from tiltyard.worker.jobs import Pace, TaskThread
from tiltyard.worker.relay import Relay
store = open_store(sys.argv[2])
job = Relay(Path(sys.argv[1]), store, 1)
print("begins", flush=True)
TaskThread(job, store, sys.argv[3], Pace(poll=0.01, lease=0.2)).start()
time.sleep(60)
"""


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """Give the folder of a spool that is still to be filled."""
    return tmp_path / "spool"


def logged(store: Store) -> list[PredictionRecord]:
    """Return the live log."""
    return store.log("yard", 1, 0, 100_000)


def drain(store: Store, relay: Relay, holder: str = "test") -> None:
    """Relay until there is no more."""
    lease = take(store, relay_task(1), holder)
    while relay.turn(lease):
        pass
    relay.close()


def test_every_durable_record_reaches_the_store_in_order(store: Store, spool: Path) -> None:
    """The store holds what was spooled, its watermark is the last seq, the spool is told so."""
    records = fill_spool(spool, 100)
    relay = Relay(spool, store, 16)
    drain(store, relay)
    assert logged(store) == records
    assert store.watermarks() == {1: records[-1].seq}
    assert SpoolReader(spool).confirmed() == records[-1].seq
    assert relay.status == {"sent": 100, "confirmed": records[-1].seq, "durable": records[-1].seq}


def test_a_turn_is_bounded(store: Store, spool: Path) -> None:
    """A turn moves one batch and says that there is more."""
    fill_spool(spool, 20)
    relay = Relay(spool, store, 8)
    assert relay.turn(take(store, relay_task(1)))
    assert len(logged(store)) == 8


def test_records_are_sent_again_when_the_mark_was_lost(store: Store, spool: Path) -> None:
    """A kill between store and mark doubles nothing; the mark is written anew."""
    records = fill_spool(spool, 30)
    drain(store, Relay(spool, store, 8))
    (spool / "confirmed").unlink()
    drain(store, Relay(spool, store, 8))
    assert logged(store) == records
    assert SpoolReader(spool).confirmed() == records[-1].seq


def test_a_restored_store_gets_again_what_the_spool_still_holds(
    store: Store, spool: Path, tmp_path: Path
) -> None:
    """The spool's own mark is ahead of a store from a backup; the store's watermark counts."""
    fill_spool(spool, 40)
    lease = take(store, relay_task(1))
    Relay(spool, store, 16).turn(lease)
    store.close()
    shutil.copy(tmp_path / "store.db", tmp_path / "backup.db")
    before = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    drain(before, Relay(spool, before, 16))
    everything = logged(before)
    before.close()
    restored = open_store(f"sqlite:///{tmp_path / 'backup.db'}")
    assert len(logged(restored)) == 16
    drain(restored, Relay(spool, restored, 16))
    assert logged(restored) == everything
    restored.close()


def test_a_second_epoch_follows_the_first(store: Store, spool: Path) -> None:
    """A gateway that started again goes on in a new epoch; its numbers are no gap."""
    first, second = fill_spool(spool, 10), fill_spool(spool, 10)
    drain(store, Relay(spool, store, 4))
    assert logged(store) == first + second
    assert second[0].seq == 2 << EPOCH_BITS


def test_a_gap_is_told(store: Store, spool: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A spool that was cleaned past the store's watermark is an error in the log, not a stop."""
    fill_spool(spool, 60, segment_bytes=500)
    Relay(spool, store, 5).turn(take(store, relay_task(1)))
    for segment in sorted(spool.glob("*.log"))[:2]:
        segment.unlink()
    with caplog.at_level(logging.ERROR):
        drain(store, Relay(spool, store, 100))
    assert "records are missing" in caplog.text
    assert store.watermarks() == {1: FIRST_SEQ + 59}


def test_a_corrupt_frame_stops_the_relay_loudly(store: Store, spool: Path) -> None:
    """Damage in what was durable is an error that names the file; what came before is kept."""
    fill_spool(spool, 60, segment_bytes=500)
    damaged = sorted(spool.glob("*.log"))[2]
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 0xFF
    damaged.write_bytes(content)
    with pytest.raises(IntegrityError, match=damaged.name):
        drain(store, Relay(spool, store, 10))
    assert logged(store)
    assert store.watermarks()[1] < FIRST_SEQ + 59


def test_a_stale_lease_writes_nothing(store: Store, spool: Path) -> None:
    """A relay that was overtaken loses its write, and does not touch the mark."""
    fill_spool(spool, 10)
    old = take(store, relay_task(1), "old", seconds=0.01)
    time.sleep(0.02)
    take(store, relay_task(1), "new")
    with pytest.raises(StaleLeaseError):
        Relay(spool, store, 10).turn(old)
    assert logged(store) == []
    assert SpoolReader(spool).confirmed() == 0


def test_a_spool_without_a_number_waits(store: Store, spool: Path) -> None:
    """Before control gave a number there is nothing to relay."""
    open_spool(spool)
    with pytest.raises(UnavailableError, match="no gateway number"):
        Relay(spool, store, 10)


@pytest.mark.slow
def test_kills_lose_and_double_nothing(store: Store, spool: Path, tmp_path: Path) -> None:
    """A relay killed again and again at any moment, by another each time, moves all once."""
    records = fill_spool(spool, 3_000, segment_bytes=20_000)
    rng = random.Random(3)
    url = f"sqlite:///{tmp_path / 'store.db'}"
    for holder in range(4):
        command = [sys.executable, "-c", RELAYING, str(spool), url, str(holder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(rng.uniform(0.1, 0.4))
            process.kill()
    assert len(logged(store)) > 0
    thread = TaskThread(Relay(spool, store, 500), store, "last", Pace(poll=0.01, lease=0.2))
    thread.start()
    end = time.monotonic() + 20
    while SpoolReader(spool).confirmed() < records[-1].seq:
        assert time.monotonic() < end
        time.sleep(0.02)
    thread.end()
    thread.join(5)
    assert logged(store) == records
    assert store.counts("yard")["predictions"] == len(records)
