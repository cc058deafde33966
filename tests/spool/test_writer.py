"""The spool's writer: order, epochs, torn tails, segments, a failing and a full disk."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.spool import ForgetfulDisk, WatchedDisk, make_writer, seqs, write_predictions
from tiltyard.errors import ConflictError, IntegrityError, UnavailableError
from tiltyard.spool import SpoolReader, SpoolWriter, read_info
from tiltyard.spool.frames import read_segment
from tiltyard.spool.marks import DurableMark
from tiltyard.spool.segments import segments
from tiltyard.types.records import LogRecord

EPOCH = 2**40


async def test_the_answer_comes_after_write_and_sync(tmp_path: Path) -> None:
    """A batch is written, then synced, then acknowledged; a new segment's name is synced too."""
    calls: list[str] = []
    writer = make_writer(tmp_path, disk=WatchedDisk(calls))
    calls.clear()
    for _ in range(3):
        await write_predictions(writer, 2)
        calls.append("answered")
    writer.close()
    assert calls[:5] == ["create", "folder synced", "write", "synced", "answered"]
    assert calls[5:] == ["write", "synced", "answered"] * 2


async def test_a_power_cut_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """On a disk that forgets what was not synced, every acknowledged record is there."""
    writer = make_writer(tmp_path, disk=ForgetfulDisk())
    acknowledged = [seq for _ in range(20) for seq in await write_predictions(writer, 3)]
    left = [r.seq for _, path in segments(tmp_path) for r in _records(path)]
    writer.close()
    assert set(acknowledged) <= set(left)


async def test_the_forgetful_disk_catches_an_answer_before_the_sync(tmp_path: Path) -> None:
    """Negative control: without the sync the same check fails."""

    class NeverSyncs(ForgetfulDisk):
        def sync(self, fd: int) -> None:
            pass

    writer = make_writer(tmp_path, disk=NeverSyncs())
    acknowledged = await write_predictions(writer, 3)
    left = [r.seq for _, path in segments(tmp_path) for r in _records(path)]
    writer.close()
    assert not set(acknowledged) & set(left)


async def test_batches_waiting_together_share_a_sync(tmp_path: Path) -> None:
    """Group commit: what queues up during one sync goes with the next."""
    calls: list[str] = []
    writer = make_writer(tmp_path, disk=WatchedDisk(calls))
    calls.clear()
    await asyncio.gather(*(write_predictions(writer, 1) for _ in range(200)))
    writer.close()
    assert calls.count("synced") < 100


async def test_a_failed_sync_ends_the_process_and_answers_nothing(tmp_path: Path) -> None:
    """It is never tried again: the medium may have dropped the pages."""
    died: list[Exception] = []
    writer = make_writer(tmp_path, disk=ForgetfulDisk(syncs=1), fatal=died.append)
    await write_predictions(writer, 1)
    lost = write_predictions(writer, 1)
    await asyncio.sleep(0.2)
    assert [str(error) for error in died] == ["[Errno 5] the medium is gone"]
    assert not lost.done()


@pytest.mark.slow
def test_a_process_whose_sync_fails_exits(tmp_path: Path) -> None:
    """The default is the end of the process, with a line that says why."""
    script = f"""
import asyncio
from pathlib import Path
from support.spool import ForgetfulDisk, make_writer, write_predictions
async def main():
    writer = make_writer(Path({str(tmp_path)!r}), disk=ForgetfulDisk(syncs=0))
    await write_predictions(writer, 1)
asyncio.run(main())
"""
    ended = _python(script)
    assert ended.returncode == os.EX_IOERR
    assert "the spool's disk failed" in ended.stderr


async def test_every_start_raises_the_epoch_durably(tmp_path: Path) -> None:
    """Numbers begin at epoch << 40, so that a lost tail never lends its numbers again."""
    for epoch in (1, 2, 3):
        writer = make_writer(tmp_path)
        assert await write_predictions(writer, 2) == [epoch * EPOCH, epoch * EPOCH + 1]
        writer.close()
        info = read_info(tmp_path)
        assert info is not None
        assert (info.epoch, info.gateway) == (epoch, 1)


async def test_each_model_counts_its_own_records(tmp_path: Path) -> None:
    """model_seq is dense by model, seq over all of them."""
    writer = make_writer(tmp_path)
    for model in ("a", "b", "a"):
        await write_predictions(writer, 2, model)
    writer.close()
    records = SpoolReader(tmp_path).read(0, 100)
    assert seqs(records) == list(range(EPOCH, EPOCH + 6))
    assert [r.model_seq - EPOCH for r in records if r.model == "a"] == [0, 1, 2, 3]
    assert [r.model_seq - EPOCH for r in records if r.model == "b"] == [0, 1]


@pytest.mark.parametrize("damage", ["cut", "zeros", "garbage"])
async def test_a_torn_tail_is_dropped_at_the_start(tmp_path: Path, damage: str) -> None:
    """Whole frames stay, the rest goes, and what is written then can be read."""
    writer = make_writer(tmp_path)
    await write_predictions(writer, 3)
    writer.close()
    _, path = segments(tmp_path)[-1]
    whole = path.read_bytes()
    torn = {"cut": whole[: len(whole) // 3 - 4], "zeros": b"\0" * 64, "garbage": b"\7" * 64}
    path.write_bytes(whole + torn[damage])
    writer = make_writer(tmp_path)
    await write_predictions(writer, 1)
    writer.close()
    assert seqs(SpoolReader(tmp_path).read(0, 10)) == [EPOCH, EPOCH + 1, EPOCH + 2, 2 * EPOCH]
    assert path.read_bytes() == whole


async def test_a_segment_without_a_whole_frame_goes(tmp_path: Path) -> None:
    """A crash right after a segment was made leaves nothing in the way."""
    writer = make_writer(tmp_path)
    await write_predictions(writer, 1)
    writer.close()
    (tmp_path / f"{EPOCH + 1:016x}.log").write_bytes(b"\1\2\3")
    make_writer(tmp_path).close()
    assert [first for first, _ in segments(tmp_path)] == [EPOCH]


async def test_only_one_gateway_writes(tmp_path: Path) -> None:
    """A second writer on the folder is refused, as is one with another number."""
    writer = make_writer(tmp_path)
    with pytest.raises(ConflictError, match="Another gateway writes"):
        make_writer(tmp_path)
    writer.close()
    with pytest.raises(ConflictError, match="belongs to gateway 1, not 2"):
        SpoolWriter(tmp_path, 2, call_soon=lambda _: None).start()


async def test_segments_roll_and_go_after_confirmation(tmp_path: Path) -> None:
    """A segment goes when all of it is confirmed; the one being written stays."""
    writer = make_writer(tmp_path, segment_bytes=400, keep_confirmed_s=0.0)
    last = 0
    for _ in range(10):
        (*_, last) = await write_predictions(writer, 3)
    made = segments(tmp_path)
    assert len(made) > 3
    reader = SpoolReader(tmp_path)
    assert len(reader.read(0, 1000)) == 30
    reader.confirm(made[2][0])
    await _until(lambda: len(segments(tmp_path)) == len(made) - 2)
    reader.confirm(last)
    await _until(lambda: len(segments(tmp_path)) == 1)
    assert reader.confirmed() == last
    writer.close()


async def test_confirmed_segments_stay_for_a_while(tmp_path: Path) -> None:
    """A store that lost its last minutes gets them again."""
    writer = make_writer(tmp_path, segment_bytes=1, keep_confirmed_s=60.0)
    for _ in range(3):
        await write_predictions(writer, 1)
    SpoolReader(tmp_path).confirm(2**63)
    await asyncio.sleep(1.2)
    await write_predictions(writer, 1)
    writer.close()
    assert len(segments(tmp_path)) == 4


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 256 kB, which needs root to be mounted."""
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


async def test_a_full_disk_refuses_and_recovers_alone(small_disk: Path) -> None:
    """What does not fit is refused with 503 and leaves no half frame; with space it goes on."""
    writer = make_writer(small_disk / "spool")
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 150_000)
    kept = [*await write_predictions(writer, 1, text="y" * 1_000)]
    for _ in range(2):
        kept += await write_predictions(writer, 1, text="y" * 30_000)
    with pytest.raises(UnavailableError, match="disk is full") as refused:
        await write_predictions(writer, 1, text="y" * 60_000)
    assert (refused.value.status, refused.value.details) == (503, {"reason": "disk_full"})
    assert writer.disk_full
    ballast.unlink()
    kept += await write_predictions(writer, 1, text="y" * 30_000)
    assert not writer.disk_full
    writer.close()
    assert seqs(SpoolReader(small_disk / "spool").read(0, 100)) == kept


async def test_a_disk_full_at_a_new_segment_refuses_and_recovers(small_disk: Path) -> None:
    """Also when there is no room for the first byte of a segment."""
    writer = make_writer(small_disk / "spool", segment_bytes=1)
    kept = [*await write_predictions(writer, 1)]
    ballast = small_disk / "ballast"
    subprocess.run(["dd", "if=/dev/zero", f"of={ballast}", "status=none"], check=False)
    for _ in range(3):
        with pytest.raises(UnavailableError, match="disk is full"):
            await write_predictions(writer, 1)
    ballast.unlink()
    kept += await write_predictions(writer, 1)
    writer.close()
    make_writer(small_disk / "spool").close()
    assert seqs(SpoolReader(small_disk / "spool").read(0, 100)) == kept


async def test_damage_in_the_middle_is_not_passed_over(tmp_path: Path) -> None:
    """A record that was durable and is damaged is named; none after it is read in its place."""
    writer = make_writer(tmp_path, segment_bytes=300)
    for _ in range(6):
        await write_predictions(writer, 2)
    writer.close()
    (_, path), *_ = segments(tmp_path)
    data = bytearray(path.read_bytes())
    data[-3] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match="damaged at byte"):
        SpoolReader(tmp_path).read(0, 100)


async def test_a_lost_tail_that_was_durable_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The disk lied: the log says from which seq on records are gone."""
    writer = make_writer(tmp_path)
    await write_predictions(writer, 3)
    writer.close()
    _, path = segments(tmp_path)[-1]
    path.write_bytes(path.read_bytes()[:-1])
    make_writer(tmp_path).close()
    assert f"was durable up to seq {EPOCH + 2}, but ends at {EPOCH + 1} now" in caplog.text
    mark = DurableMark(tmp_path)
    assert mark.get() == EPOCH + 1
    mark.close()


def _records(path: Path) -> list[LogRecord]:
    return [record for _, record in read_segment(path)]


async def _until(condition: object) -> None:
    for _ in range(400):
        if condition():  # type: ignore[operator]  # a callable without arguments
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not happen within 4 s")


def _python(script: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": "tests"}
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )


async def test_space_reserved_in_vain_is_no_record_and_no_loss(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A segment is longer than what is written while it grows, and exact when it is done."""
    writer = make_writer(tmp_path, segment_bytes=300)
    kept = await write_predictions(writer, 4)
    kept += await write_predictions(writer, 1)
    (_, done), (_, growing) = segments(tmp_path)
    assert done.read_bytes()[-1:] != b"\0"
    assert growing.read_bytes().endswith(b"\0" * 1_000_000)
    killed = tmp_path / "killed"
    shutil.copytree(tmp_path, killed, ignore=shutil.ignore_patterns("killed"))
    writer.close()
    assert growing.read_bytes()[-1:] != b"\0"
    assert seqs(SpoolReader(killed).read(0, 100)) == kept
    make_writer(killed).close()
    assert (killed / growing.name).read_bytes() == growing.read_bytes()
    assert seqs(SpoolReader(killed).read(0, 100)) == kept
    assert "torn" not in caplog.text


async def test_a_durable_record_turned_into_zeros_is_damage(tmp_path: Path) -> None:
    """Zeros end a segment only where nothing follows them."""
    writer = make_writer(tmp_path)
    await write_predictions(writer, 2)
    await write_predictions(writer, 2)
    writer.close()
    _, path = segments(tmp_path)[-1]
    data = path.read_bytes()
    path.write_bytes(bytes(40) + data[40:])
    with pytest.raises(IntegrityError, match="damaged at byte 0"):
        SpoolReader(tmp_path).read(0, 100)
