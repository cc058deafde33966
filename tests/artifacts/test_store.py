"""The artifact store keeps folders by their content, whole or not at all."""

import fcntl
import hashlib
import json
import os
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tiltyard.artifacts import ArtifactStore, folder_digest
from tiltyard.errors import IntegrityError, InvalidInputError, NotFoundError

FILES = {
    "model.joblib": b"\x00\x01" * 4_000,
    "version.json": b'{"model":"bikeshare"}',
    "code/helpers/größe.py": b"SIZE = 1\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A version's folder, about to be kept."""
    made = tmp_path / "version"
    for name, content in FILES.items():
        path = made / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return made


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    """An empty store."""
    return ArtifactStore(tmp_path / "artifacts")


def contents(folder: Path) -> dict[str, bytes]:
    """What a folder holds."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def tamper(path: Path, content: bytes | None) -> None:
    """Write or remove a file in spite of its mode."""
    path.parent.chmod(stat.S_IRWXU)
    if path.exists():
        path.chmod(stat.S_IRWXU)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)


def test_the_digest_is_that_of_the_architecture(store: ArtifactStore, folder: Path) -> None:
    """SHA-256 over sorted, compact JSON of {posix path: SHA-256}, recomputed here."""
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    text = json.dumps(hashes, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    expected = hashlib.sha256(text.encode()).hexdigest()
    assert store.add(folder) == folder_digest(folder) == expected
    assert store.path(expected) == store.path(expected).parents[1] / expected[:2] / expected
    assert contents(store.path(expected)) == FILES


def test_a_kept_folder_is_read_only(store: ArtifactStore, folder: Path) -> None:
    """Neither the folder nor anything in it has a write bit; the source keeps its own."""
    kept = store.path(store.add(folder))
    modes = [path.stat().st_mode for path in [kept, *kept.rglob("*")]]
    assert not any(mode & 0o222 for mode in modes)
    assert (folder / "version.json").stat().st_mode & stat.S_IWUSR


def test_adding_twice_keeps_one(store: ArtifactStore, folder: Path) -> None:
    """The same content has the same digest and place, and leaves nothing else behind."""
    first = store.add(folder)
    inode = store.path(first).stat().st_ino
    assert store.add(folder) == first
    assert store.path(first).stat().st_ino == inode
    assert not list((store.path(first).parents[1] / "incoming").iterdir())


def test_many_threads_add_the_same_folder(tmp_path: Path, folder: Path) -> None:
    """All get the digest of one whole folder, through stores of their own."""
    with ThreadPoolExecutor(8) as pool:
        stores = [ArtifactStore(tmp_path / "artifacts") for _ in range(8)]
        digests = set(pool.map(lambda store: store.add(folder), stores))
    (only,) = digests
    stores[0].verify(only)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("model.joblib", b"other", "model.joblib differs"),
        ("code/helpers/größe.py", None, "größe.py is missing"),
        ("code/new.py", b"", "code/new.py does not belong there"),
    ],
)
def test_verify_names_the_file(
    store: ArtifactStore, folder: Path, name: str, content: bytes | None, sentence: str
) -> None:
    """An edited, a removed and an added file are each found by name."""
    digest = store.add(folder)
    store.verify(digest)
    tamper(store.path(digest) / name, content)
    with pytest.raises(IntegrityError, match=sentence):
        store.verify(digest)


def test_verify_finds_a_link_and_an_edited_listing(store: ArtifactStore, folder: Path) -> None:
    """A link to the same bytes is no plain file; a listing must hash to the digest."""
    digest = store.add(folder)
    kept = store.path(digest)
    tamper(kept / "version.json", None)
    (kept / "version.json").symlink_to(folder / "version.json")
    with pytest.raises(IntegrityError, match="link"):
        store.verify(digest)
    tamper(kept.with_suffix(".json"), b"{}")
    with pytest.raises(IntegrityError, match="listing"):
        store.verify(digest)


def test_adding_again_mends_a_damaged_folder(store: ArtifactStore, folder: Path) -> None:
    """A damaged folder is replaced by the copy that has its digest."""
    digest = store.add(folder)
    tamper(store.path(digest) / "model.joblib", b"damaged")
    assert store.add(folder) == digest
    store.verify(digest)


def test_what_is_no_plain_file_is_refused(store: ArtifactStore, folder: Path) -> None:
    """Links to files and folders, pipes, odd names and an empty folder are not kept."""
    for make in (
        lambda path: path.symlink_to("/etc/hostname"),
        lambda path: path.symlink_to(folder, target_is_directory=True),
        os.mkfifo,
    ):
        odd = folder / "odd"
        make(odd)
        with pytest.raises(InvalidInputError, match="odd"):
            store.add(folder)
        odd.unlink()
    latin = Path(os.fsdecode(os.fsencode(folder) + b"/\xe4"))
    latin.write_bytes(b"")
    with pytest.raises(InvalidInputError, match="UTF-8"):
        store.add(folder)
    (folder.parent / "empty" / "below").mkdir(parents=True)
    with pytest.raises(InvalidInputError, match="no files"):
        store.add(folder.parent / "empty")


def test_unknown_and_forged_digests(store: ArtifactStore) -> None:
    """An unknown digest is not found; a path in its place is no digest."""
    with pytest.raises(NotFoundError):
        store.path("0" * 64)
    for forged in ("../../etc", "", "A" * 64, "0" * 63):
        with pytest.raises(InvalidInputError):
            store.verify(forged)


def test_remove_takes_all(store: ArtifactStore, folder: Path) -> None:
    """A removed folder is gone with its listing, cannot be removed twice, and can come again."""
    digest = store.add(folder)
    place = store.path(digest)
    store.remove(digest)
    assert not list(place.parent.iterdir())
    with pytest.raises(NotFoundError):
        store.remove(digest)
    assert store.add(folder) == digest


def test_leftovers_of_a_crash_go_at_the_next_opening(tmp_path: Path, folder: Path) -> None:
    """What a killed process left in ``incoming`` goes; what another still makes stays."""
    root = tmp_path / "artifacts"
    digest = ArtifactStore(root).add(folder)
    leftover = root / "incoming" / "dead"
    shutil.copytree(folder, leftover / "folder")
    (leftover / "folder" / "code").chmod(0o555)
    busy = os.open(root / "incoming", os.O_RDONLY)
    fcntl.flock(busy, fcntl.LOCK_SH)
    ArtifactStore(root)
    assert leftover.exists()
    os.close(busy)
    ArtifactStore(root).verify(digest)
    assert not leftover.exists()


def test_a_listing_without_its_folder_is_no_artifact(store: ArtifactStore, folder: Path) -> None:
    """A crash between listing and folder leaves what the next ``add`` completes."""
    digest = store.add(folder)
    place = store.path(digest)
    place.chmod(stat.S_IRWXU)
    place.rename(folder.parent / "gone")
    with pytest.raises(NotFoundError):
        store.path(digest)
    store.add(folder)
    store.verify(digest)
