"""Reading a spool beside its writer."""

from pathlib import Path

from support.spool import make_writer, seqs, write_predictions
from tiltyard.spool import SpoolReader, open_spool
from tiltyard.spool.frames import encode_frames
from tiltyard.spool.marks import DurableMark
from tiltyard.spool.segments import segments

EPOCH = 2**40


async def test_reading_stops_at_the_durable_seq(tmp_path: Path) -> None:
    """Frames that were written but not synced yet are not there for the reader."""
    writer = make_writer(tmp_path)
    await write_predictions(writer, 3)
    mark = DurableMark(tmp_path, write=True)
    mark.put(EPOCH + 1)
    reader = SpoolReader(tmp_path)
    assert seqs(reader.read(0, 100)) == [EPOCH, EPOCH + 1]
    assert reader.read(EPOCH + 1, 100) == []
    mark.put(EPOCH + 2)
    assert seqs(reader.read(EPOCH + 1, 100)) == [EPOCH + 2]
    mark.close()
    writer.close()


async def test_unsynced_frames_of_a_killed_writer_count_after_the_next_start(
    tmp_path: Path,
) -> None:
    """They are synced at the start; until then the reader does not see them."""
    writer = make_writer(tmp_path)
    await write_predictions(writer, 2)
    records = SpoolReader(tmp_path).read(0, 10)
    writer.close()
    mark = DurableMark(tmp_path, write=True)
    mark.put(EPOCH)
    mark.close()
    reader = SpoolReader(tmp_path)
    assert seqs(reader.read(0, 10)) == [EPOCH]
    make_writer(tmp_path).close()
    assert reader.read(0, 10) == records


async def test_reading_goes_on_over_segments_and_epochs(tmp_path: Path) -> None:
    """Any place can be read from, any number at a time."""
    expected: list[int] = []
    for _ in range(3):
        writer = make_writer(tmp_path, segment_bytes=500)
        for _ in range(5):
            expected += await write_predictions(writer, 3)
        writer.close()
    reader = SpoolReader(tmp_path)
    found: list[int] = []
    while batch := reader.read(found[-1] if found else 0, 7):
        found += seqs(batch)
    assert found == expected
    for start in (3, 11, 29, 44):
        assert seqs(reader.read(expected[start - 1], 1000)) == expected[start:]
    reader.close()


async def test_what_was_confirmed_and_removed_is_no_error(tmp_path: Path) -> None:
    """A reader from the start finds what is left."""
    writer = make_writer(tmp_path, segment_bytes=1)
    written = [seq for _ in range(4) for seq in await write_predictions(writer, 1)]
    writer.close()
    reader = SpoolReader(tmp_path)
    reader.confirm(written[-1])
    for _, path in segments(tmp_path)[:2]:
        path.unlink()
    assert seqs(reader.read(0, 10)) == written[2:]
    for _, path in segments(tmp_path):
        path.unlink()
    assert reader.read(0, 10) == []


def test_a_folder_that_no_gateway_has_started_in_is_empty(tmp_path: Path) -> None:
    """The worker may come first."""
    reader = SpoolReader(tmp_path)
    assert (reader.gateway, reader.durable(), reader.confirmed()) == (None, 0, 0)
    assert reader.read(0, 10) == []
    open_spool(tmp_path)
    assert reader.gateway is None


async def test_a_half_written_mark_says_nothing(tmp_path: Path) -> None:
    """The complement shows it; the next look sees the whole one."""
    writer = make_writer(tmp_path)
    await write_predictions(writer, 1)
    (tmp_path / "durable").write_bytes(b"\1" * 16)
    assert SpoolReader(tmp_path).read(0, 10) == []
    writer.close()


async def test_a_frame_is_as_documented(tmp_path: Path) -> None:
    """u32 length, u32 crc32, payload; little endian."""
    writer = make_writer(tmp_path)
    await write_predictions(writer, 1)
    writer.close()
    ((_, path),) = segments(tmp_path)
    data = path.read_bytes()
    assert int.from_bytes(data[:4], "little") == len(data) - 8
    assert data == encode_frames(SpoolReader(tmp_path).read(0, 1))
