"""Tars carry folders; a hostile one writes nothing outside and stays within its limit."""

import io
import tarfile
from pathlib import Path

import pytest

from tiltyard.artifacts import ArtifactStore, folder_digest, unpack
from tiltyard.artifacts.disk import room_on
from tiltyard.errors import InvalidInputError, TiltyardError, TooLargeError, UnavailableError

LIMIT = 1_000_000
LONG = "code/" + "very_" * 40 + "long.py"


def tar_of(*members: tuple[tarfile.TarInfo, bytes]) -> io.BytesIO:
    """A tar of these members."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return io.BytesIO(target.getvalue())


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    """A member of some type."""
    made = tarfile.TarInfo(name)
    made.type = kind
    made.linkname = link
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files of sizes around a tar's block, one with a name longer than a tar's field."""
    made = tmp_path / "version"
    (made / "code").mkdir(parents=True)
    for size in (0, 1, 511, 512, 513, 3_000_000):
        (made / f"f{size}").write_bytes(bytes(size))
    (made / LONG).write_text("x = 'ü'\n")
    return made


def test_pack_and_unpack_are_inverse(tmp_path: Path, folder: Path) -> None:
    """What was packed has the same digest when unpacked, and packs to the same bytes."""
    store = ArtifactStore(tmp_path / "artifacts")
    digest = store.add(folder)
    packed = b"".join(store.pack(digest))
    unpack(io.BytesIO(packed), tmp_path / "into", max_bytes=10_000_000)
    assert folder_digest(tmp_path / "into") == digest
    assert b"".join(store.pack(digest)) == packed
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert sorted(tar.getnames()) == tar.getnames()


def test_pack_hands_out_small_pieces(tmp_path: Path, folder: Path) -> None:
    """No piece is larger than a read, however large the file."""
    store = ArtifactStore(tmp_path / "artifacts")
    assert max(len(piece) for piece in store.pack(store.add(folder))) <= 1 << 20


def test_a_tar_made_by_others_is_taken(tmp_path: Path, folder: Path) -> None:
    """``tar.add`` writes folders, a leading dot and other modes; none of it matters."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.GNU_FORMAT) as tar:
        tar.add(folder, ".")
    unpack(io.BytesIO(target.getvalue()), tmp_path / "into", max_bytes=10_000_000)
    assert folder_digest(tmp_path / "into") == folder_digest(folder)


@pytest.mark.parametrize(
    "hostile",
    [
        member("../outside"),
        member("/tmp/tiltyard-outside"),  # noqa: S108  it is never written
        member("code/../../outside"),
        member("code//outside"),
        member("link", tarfile.SYMTYPE, "/etc"),
        member("link", tarfile.LNKTYPE, "version.json"),
        member("pipe", tarfile.FIFOTYPE),
        member("device", tarfile.CHRTYPE),
        member("sparse", tarfile.GNUTYPE_SPARSE),
        member("version.json"),
        member("version.json/below"),
        member("n" * 300),
    ],
    ids=lambda info: f"{info.name[:30]}-{info.type.decode()}",
)
def test_a_hostile_member_is_refused(tmp_path: Path, hostile: tarfile.TarInfo) -> None:
    """Nothing is written outside the folder, and no link, pipe or device inside."""
    into = tmp_path / "into"
    source = tar_of((member("version.json"), b"{}"), (hostile, b""))
    with pytest.raises(InvalidInputError):
        unpack(source, into, LIMIT)
    assert [path.name for path in into.rglob("*")] == ["version.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["into"]


def test_a_link_and_a_write_through_it(tmp_path: Path) -> None:
    """A folder that is a link is refused before anything can be written through it."""
    source = tar_of(
        (member("code", tarfile.SYMTYPE, str(tmp_path)), b""), (member("code/evil.py"), b"1")
    )
    with pytest.raises(InvalidInputError):
        unpack(source, tmp_path / "into", LIMIT)
    assert not (tmp_path / "evil.py").exists()


@pytest.mark.parametrize("count", [1, 3])
def test_more_than_the_limit_is_refused(tmp_path: Path, count: int) -> None:
    """The sum of sizes counts, and is known before a file is written."""
    members = [(member(f"f{number}"), bytes(LIMIT // count)) for number in range(count)]
    with pytest.raises(TooLargeError):
        unpack(tar_of(*members), tmp_path / "into", LIMIT)
    assert sum(path.stat().st_size for path in (tmp_path / "into").iterdir()) < LIMIT


def test_endless_empty_members_count_too(tmp_path: Path) -> None:
    """Headers count towards the limit."""
    members = [(member(f"f{number}"), b"") for number in range(100)]
    with pytest.raises(TooLargeError):
        unpack(tar_of(*members), tmp_path / "into", 10_000)


def test_a_huge_header_is_refused_unread(tmp_path: Path) -> None:
    """A header may not claim gigabytes for a name."""
    header = member("long", tarfile.GNUTYPE_LONGNAME)
    header.size = 1 << 33
    with pytest.raises(InvalidInputError, match="claims"):
        unpack(io.BytesIO(header.tobuf(tarfile.GNU_FORMAT)), tmp_path / "into", LIMIT)


@pytest.mark.parametrize("cut", [0, 100, 700, 1_500])
def test_what_is_no_whole_tar_is_refused(tmp_path: Path, cut: int) -> None:
    """Nothing, half a header, half a file: each is an error with a sentence."""
    whole = tar_of((member("a"), bytes(2_000))).getvalue()
    with pytest.raises(InvalidInputError, match="tar"):
        unpack(io.BytesIO(whole[:cut]), tmp_path / "into", LIMIT)


def test_noise_is_refused(tmp_path: Path) -> None:
    """Noise and a compressed tar are no tar."""
    for number, noise in enumerate((b"\xff" * 5_000, b"\x1f\x8b\x08" + bytes(2_000))):
        with pytest.raises(TiltyardError, match="tar"):
            unpack(io.BytesIO(noise), tmp_path / str(number), LIMIT)


def test_only_an_empty_folder_is_filled(tmp_path: Path) -> None:
    """Files that are there already are not mixed with others."""
    (tmp_path / "into").mkdir()
    (tmp_path / "into" / "mine").touch()
    with pytest.raises(InvalidInputError, match="not empty"):
        unpack(tar_of((member("a"), b"")), tmp_path / "into", LIMIT)


def test_a_full_disk_is_a_sentence(tmp_path: Path) -> None:
    """The kernel's own full device: what to do is said, and other errors stay what they are."""
    with (
        pytest.raises(UnavailableError, match="free some space"),
        room_on(tmp_path),
        Path("/dev/full").open("wb", buffering=0) as full,
    ):
        full.write(b"1")
    with pytest.raises(FileNotFoundError), room_on(tmp_path):
        (tmp_path / "absent").read_bytes()
