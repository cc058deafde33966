"""What a build and a push make of the record of images."""

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tiltyard.containers.images import ImagesLock, RecordedImage, read_lock, write_lock
from tiltyard.containers.recording import check_pairs, update, with_built, with_digest
from tiltyard.errors import IntegrityError, InvalidInputError, NotFoundError

NOW = datetime(2026, 5, 1, tzinfo=UTC)
ALL = ("base", "scorer-python", "lab-python")


def image(name: str, number: int) -> RecordedImage:
    """Return an image whose id ends with a number."""
    return RecordedImage(
        name=name, id=f"sha256:{number:064x}", tag=f"t/{name}:{number}", size_bytes=1, packages="0"
    )


def built(
    lock: ImagesLock, number: int, *names: str, resolution: str = "r1", revision: str = "a"
) -> ImagesLock:
    """Return the record after these images were built."""
    images = {name: image(name, number) for name in names or ALL}
    return with_built(lock, images, resolution=resolution, revision=revision, built_at=NOW)


def test_the_same_images_again_change_nothing() -> None:
    """Neither all of them nor one."""
    lock = built(ImagesLock(), 1)
    assert built(lock, 1, revision="b") == lock
    assert built(lock, 1, "lab-python") == lock


def test_older_sets_stay() -> None:
    """A version trained in an older image gets the scorer of its set."""
    lock = built(built(ImagesLock(), 1), 2, resolution="r2")
    assert [one.resolution for one in lock.sets] == ["r1", "r2"]
    assert lock.current("lab-python") == image("lab-python", 2)
    old = image("lab-python", 1).id
    assert lock.scorer_for(old, "python") == image("scorer-python", 1)
    assert lock.scorer_for(None, "python") == image("scorer-python", 2)


def test_a_part_of_the_same_packages_carries_the_rest_on() -> None:
    """The new set is whole, and who was trained in its lab image gets its newer scorer."""
    lock = built(built(ImagesLock(), 1), 2, "scorer-python", revision="b")
    assert [sorted(one.images) for one in lock.sets] == [sorted(ALL)] * 2
    assert lock.current("lab-python") == image("lab-python", 1)
    trained_in = image("lab-python", 1).id
    assert lock.scorer_for(trained_in, "python") == image("scorer-python", 2)


def test_parts_built_one_after_another_are_one_set() -> None:
    """If they are of the same packages and source."""
    lock = ImagesLock()
    for name in ALL:
        lock = built(lock, 1, name)
    assert [set(one.images) for one in lock.sets] == [set(ALL)]


def test_a_part_of_other_packages_carries_nothing_on() -> None:
    """A lab image never stands beside a scorer image of another resolution."""
    lock = built(built(ImagesLock(), 1), 2, "base", resolution="r2")
    assert set(lock.sets[-1].images) == {"base"}


@pytest.mark.parametrize("half", ["scorer-python", "lab-python"])
def test_half_of_a_pair_is_not_built_from_other_lock_files(half: str) -> None:
    """The sentence names the command that builds both."""
    lock = built(ImagesLock(), 1)
    check_pairs(lock, "r1", ["base", half])
    check_pairs(lock, "r2", ALL)
    check_pairs(lock, "r2", ["base"])
    check_pairs(ImagesLock(), "r2", [half])
    with pytest.raises(InvalidInputError, match=r"tiltyard images build (lab|scorer)-python"):
        check_pairs(lock, "r2", ["base", half])


def test_a_digest_is_recorded_wherever_the_image_is() -> None:
    """And stays when the same image is recorded again."""
    lock = built(built(ImagesLock(), 1), 2, "scorer-python")
    lab = image("lab-python", 1)
    lock = with_digest(lock, lab.id, "host/lab@sha256:1")
    assert [one.images["lab-python"].digest for one in lock.sets] == ["host/lab@sha256:1"] * 2
    again = built(built(lock, 2, resolution="r2"), 1, "lab-python", resolution="r3")
    assert again.current("lab-python").digest == "host/lab@sha256:1"


def test_changes_of_two_processes_at_once_are_both_there(tmp_path: Path) -> None:
    """The record is read, changed and replaced by one at a time."""
    path = tmp_path / "new" / "images.lock"
    names = [f"lab-{number}" for number in range(8)]
    threads = [
        threading.Thread(target=update, args=(path, lambda lock, n=name: built(lock, 1, n)))
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(read_lock(path).sets[-1].images) == set(names)


def test_what_is_not_recorded_says_how_to_build_it(tmp_path: Path) -> None:
    """An absent record is an empty one."""
    with pytest.raises(NotFoundError, match="tiltyard images build"):
        read_lock(tmp_path / "absent").current("lab-python")


@pytest.mark.parametrize("text", ["", "{", '{"format": 1, "sets": 3}'])
def test_a_damaged_record_is_not_overwritten(tmp_path: Path, text: str) -> None:
    """It says what to do instead."""
    path = tmp_path / "images.lock"
    write_lock(path, ImagesLock())
    path.write_text(text)
    with pytest.raises(IntegrityError, match="restore it from a backup"):
        update(path, lambda lock: built(lock, 1))
    assert path.read_text() == text
