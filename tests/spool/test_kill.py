"""kill -9 of a writing process: what it acknowledged is there, nothing twice."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.spool import make_writer, seqs
from tiltyard.spool import SpoolReader

pytestmark = pytest.mark.slow

WRITES_AND_TELLS = """
import asyncio, os, sys
from pathlib import Path
from support.spool import make_writer, write_predictions

async def client(writer, count):
    while True:
        for seq in await write_predictions(writer, count):
            os.write(1, b"%d\\n" % seq)

async def main():
    writer = make_writer(Path(sys.argv[1]), segment_bytes=20_000)
    await asyncio.gather(*(client(writer, count) for count in (1, 1, 2, 5)))

asyncio.run(main())
"""


def test_what_a_killed_process_acknowledged_is_there(tmp_path: Path) -> None:
    """Over several kills at any moment; the reader beside it never sees what is not durable."""
    acknowledged: list[int] = []
    for round_number in range(4):
        told = tmp_path / f"told-{round_number}"
        with told.open("wb") as out:
            environment = {**os.environ, "PYTHONPATH": "tests"}
            command = [sys.executable, "-c", WRITES_AND_TELLS, str(tmp_path / "spool")]
            process = subprocess.Popen(command, stdout=out, env=environment)
            end = time.monotonic() + 30
            while told.stat().st_size < 2_000 * (round_number + 1):
                assert time.monotonic() < end, "it does not write"
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.wait(10)
        whole_lines = told.read_text().split("\n")[:-1]
        acknowledged += map(int, whole_lines)
        seen = seqs(SpoolReader(tmp_path / "spool").read(0, 1_000_000))
        assert set(map(int, whole_lines)) <= set(seen)
    asyncio.run(start_once_more(tmp_path / "spool"))
    stored = seqs(SpoolReader(tmp_path / "spool").read(0, 1_000_000))
    assert set(acknowledged) <= set(stored)
    assert stored == sorted(set(stored))
    assert {seq >> 40 for seq in stored} == {1, 2, 3, 4}


async def start_once_more(folder: Path) -> None:
    """Let a start recover the folder: whole frames that nobody was told of are kept then."""
    make_writer(folder).close()
