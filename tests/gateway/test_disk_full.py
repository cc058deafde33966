"""A spool whose disk is full: nothing is answered that is not kept, and it recovers alone.

A small tmpfs is mounted, so these tests need root; they fail without.
"""

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from support import wire
from support.gateway import ID_KEY, Gateway, prepare_home, running
from support.typed import Served, row
from support.watch import counts
from tiltyard.spool import SpoolReader, decode_id

pytestmark = pytest.mark.slow

KEY = bytes.fromhex(ID_KEY)
SMALL_SEGMENTS = {"TILTYARD_GATEWAY__SEGMENT_BYTES": "100000"}
NOTE = "x" * 200


@contextmanager
def disk(folder: Path, size: str) -> Iterator[None]:
    """Make a folder a small disk of its own."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    done = subprocess.run(mount, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"these tests mount a tmpfs, which needs root: {done.stderr}"
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home whose spool is on a disk of 1 MB."""
    with disk(tmp_path / "spool", "1m"):
        yield tmp_path


def occupy(folder: Path, leave: int = 0) -> Path:
    """Fill a disk with a file, but for some bytes; return the file."""
    filler = folder / "filler"
    with filler.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    os.truncate(filler, max(filler.stat().st_size - leave, 0))
    return filler


def predict(gateway: Gateway, count: int = 1) -> wire.Response:
    """Send some rows."""
    body = json.dumps({"rows": [row(note=NOTE)] * count}).encode()
    return wire.call(gateway.port, "POST", "/models/typed/predict", body=body)


def fill(gateway: Gateway) -> list[int]:
    """Send rows until the disk does not even take a single one; return the answered seqs."""
    answered: list[int] = []
    for count in (100, 10, 1):
        while (answer := predict(gateway, count)).status == 200:
            answered += seqs(answer)
        assert answer.json()["error"]["details"]["reason"] == "disk_full"
    return answered


def seqs(answer: wire.Response) -> list[int]:
    """Return the seqs of an answer's predictions."""
    return [decode_id(KEY, p["id"], 1)[1] for p in answer.json()["predictions"]]


def kept(home: Path) -> list[int]:
    """Return the seqs of all durable records."""
    reader = SpoolReader(home / "spool" / "gateway")
    try:
        return [r.seq for r in reader.read(0, 1_000_000)]
    finally:
        reader.close()


def until(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)


def ready(gateway: Gateway) -> int:
    """Return the status of /readyz."""
    return wire.call(gateway.port, "GET", "/readyz").status


def test_a_full_disk_refuses_says_so_and_recovers_alone(home: Path, served: Served) -> None:
    """Many callers at once, small and large calls: whatever was answered is there, nothing else."""
    with running(home, served.table, **SMALL_SEGMENTS) as gateway:
        filler = occupy(home / "spool", leave=600_000)
        answers: list[wire.Response] = []
        full = threading.Event()

        def call(count: int) -> None:
            while not full.is_set():
                answers.append(predict(gateway, count))
                if answers[-1].status != 200:
                    full.set()

        callers = [threading.Thread(target=call, args=(count,)) for count in (1, 1, 7, 30, 100)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(60)

        refused = [answer for answer in answers if answer.status != 200]
        assert {answer.status for answer in refused} == {503}
        error = refused[0].json()["error"]
        assert error["details"]["reason"] == "disk_full"
        assert "The gateway's disk is full" in error["message"]
        assert refused[0].headers["retry-after"] == "1"

        occupy(home / "spool")
        last = fill(gateway)
        assert ready(gateway) == 503
        actuals = [{"id": known(answers), "value": 1}] * 100
        body = json.dumps({"actuals": actuals}).encode()
        actual = wire.call(gateway.port, "POST", "/models/typed/actuals", body=body)
        assert actual.json()["error"]["details"]["reason"] == "disk_full"
        assert wire.call(gateway.port, "GET", "/healthz").status == 200
        assert counts(gateway)["tiltyard_gateway_spool_disk_full"] == 1
        answered = sorted(seq for a in answers if a.status == 200 for seq in seqs(a)) + last
        assert kept(home) == answered

        filler.unlink()
        until(lambda: ready(gateway) == 200)  # nobody calls meanwhile
        assert counts(gateway)["tiltyard_gateway_spool_disk_full"] == 0
        assert kept(home) == answered
        later = predict(gateway, 100)
        assert kept(home) == answered + seqs(later)


def known(answers: list[wire.Response]) -> str:
    """Return the id of a prediction that was answered."""
    good = next(answer for answer in answers if answer.status == 200)
    found: str = good.json()["predictions"][0]["id"]
    return found


def test_what_the_store_has_makes_space(home: Path, served: Served) -> None:
    """On a disk that only the spool fills, also without a single free byte, nobody has to come."""
    with running(
        home, served.table, **SMALL_SEGMENTS, TILTYARD_GATEWAY__KEEP_CONFIRMED_S="0"
    ) as gateway:
        fill(gateway)
        occupy(home / "spool")
        last = kept(home)[-1]
        reader = SpoolReader(home / "spool" / "gateway")
        reader.confirm(last)
        assert reader.confirmed() == last
        reader.close()
        until(lambda: ready(gateway) == 200)
        assert predict(gateway, 100).status == 200


def test_a_start_on_a_full_disk_waits_for_space(home: Path, served: Served) -> None:
    """It ends with the reason, and nothing is lost by that."""
    with running(home, served.table) as gateway:
        answered = seqs(predict(gateway, 50))
        filler = occupy(home / "spool")
        gateway.end()
        with pytest.raises(AssertionError, match="No space left on device"):
            gateway.start()
        assert gateway.process is not None
        assert gateway.process.wait(10) != 0
        assert kept(home) == answered
        filler.unlink()
        gateway.start()
        assert kept(home) == answered
        later = seqs(predict(gateway, 50))
        assert kept(home) == answered + later
        assert later[0] >> 40 > answered[0] >> 40


def test_a_disk_that_takes_no_new_routes_keeps_the_old_ones(tmp_path: Path, served: Served) -> None:
    """The file of the routes is replaced whole or not at all."""
    small = tmp_path / "small"
    with disk(small, "256k"):
        prepare_home(small, served.table)
        before = (small / "routes.json").read_bytes()
        occupy(small)
        bigger = served.table.model_copy(update={"models": served.table.models * 20})
        with pytest.raises(OSError, match="No space left"):
            prepare_home(small, bigger)
        assert (small / "routes.json").read_bytes() == before
