"""Which images are offered to whom."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tiltyard.containers.images import ImageSet, ImagesLock, RecordedImage, write_lock
from tiltyard.errors import NotFoundError
from tiltyard.hub.offers import NoImageError, NotOfferedError, choose, offered
from tiltyard.settings import Settings

BY_GROUP = {"scientists": ["lab-r", "lab-python"], "deep": ["lab-python", "lab-gpu", "lab-old"]}


def image(name: str, digit: int) -> RecordedImage:
    """Return an image with an id of one digit."""
    identity = f"sha256:{str(digit) * 64}"
    return RecordedImage(name=name, id=identity, tag=name, size_bytes=1, packages="")


def with_images(home: Path, *sets: dict[str, int], by_group: dict[str, list[str]]) -> Settings:
    """Return settings whose record has these sets of names and digits."""
    settings = Settings(home=home, servers={"images": by_group})
    made = tuple(
        ImageSet(
            resolution="r",
            revision="v",
            built_at=datetime.now(UTC),
            images={name: image(name, digit) for name, digit in one.items()},
        )
        for one in sets
    )
    write_lock(settings.images_lock, ImagesLock(sets=made))
    return settings


OLD = {"base": 1, "lab-python": 2, "lab-old": 3}
NEW = {"base": 4, "lab-python": 5, "scorer-python": 6, "lab-r": 7, "lab-gpu": 8}


@pytest.mark.parametrize(
    ("groups", "names"),
    [
        ({"scientists"}, ["lab-r", "lab-python"]),
        ({"deep", "scientists"}, ["lab-r", "lab-python", "lab-gpu", "lab-old"]),
        ({"deep", "others"}, ["lab-python", "lab-gpu", "lab-old"]),
    ],
)
def test_images_come_with_groups(tmp_path: Path, groups: set[str], names: list[str]) -> None:
    """In the order of the settings, each once, the newest of its name."""
    settings = with_images(tmp_path, OLD, NEW, by_group=BY_GROUP)
    found = offered(settings, "ann", groups)
    assert [one.name for one in found] == names
    assert {one.name: one.id[-1] for one in found}["lab-python"] == "5"


def test_without_a_table_all_labs_are_everybodys(tmp_path: Path) -> None:
    """And nothing that is no lab."""
    settings = with_images(tmp_path, NEW, by_group={})
    found = offered(settings, "ann", set())
    assert [one.name for one in found] == ["lab-gpu", "lab-python", "lab-r"]


def test_who_is_in_no_group_of_the_table_is_told(tmp_path: Path) -> None:
    """Whom to ask, and for what."""
    settings = with_images(tmp_path, NEW, by_group=BY_GROUP)
    with pytest.raises(NoImageError, match=r"offered to ann: ask an operator .*servers\.images"):
        offered(settings, "ann", {"others"})


def test_what_is_not_recorded_is_not_offered(tmp_path: Path) -> None:
    """When nothing is left, the sentence says how images are built."""
    settings = with_images(tmp_path, {"lab-gpu": 1}, by_group=BY_GROUP)
    assert [one.name for one in offered(settings, "ann", {"deep"})] == ["lab-gpu"]
    with pytest.raises(NotFoundError, match="'lab-r'") as refused:
        offered(settings, "ann", {"scientists"})
    assert "`tiltyard images build`" in refused.value.message
    empty = with_images(tmp_path, by_group={})
    with pytest.raises(NotFoundError, match="'lab-python'") as refused:
        offered(empty, "ann", set())
    assert "`tiltyard images build`" in refused.value.message


@pytest.mark.parametrize("wanted", ["lab-c", "base", "sha256:" + "5" * 64, 5, ["lab-python"], ""])
def test_a_choice_is_one_of_the_offers(tmp_path: Path, wanted: object) -> None:
    """By name; whatever else is asked for is refused with the names there are."""
    settings = with_images(tmp_path, NEW, by_group=BY_GROUP)
    images = offered(settings, "ann", {"scientists"})
    assert choose(images, None).name == "lab-r"
    assert choose(images, "lab-python").id == images[1].id
    with pytest.raises(NotOfferedError, match="choose lab-r or lab-python"):
        choose(images, wanted)
