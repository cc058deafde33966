"""Where scorers' sockets are, on a machine that others use, too."""

from pathlib import Path

import pytest

from tiltyard.deployers.docker.sockets import make_folder, remove_folders
from tiltyard.errors import UnavailableError

UID = 10001


def folder_in(top: Path) -> Path:
    """Return the folder of a replica."""
    return top / "0123abcd" / "0"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Whoever can write beside it could have root mount over and give away what they choose."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    top = tmp_path / "s"
    top.symlink_to(elsewhere)
    with pytest.raises(UnavailableError, match="runtime_dir"):
        make_folder(folder_in(top), UID)
    assert list(elsewhere.iterdir()) == []


def test_a_folder_that_others_write_is_refused(tmp_path: Path) -> None:
    """One like /tmp is not: there nobody replaces what is another's."""
    top = tmp_path / "s"
    top.mkdir()
    top.chmod(0o777)
    with pytest.raises(UnavailableError, match="only Tiltyard's user"):
        make_folder(folder_in(top), UID)
    top.chmod(0o1777)
    make_folder(folder_in(top), UID)
    remove_folders(top)
    assert not top.exists()


def test_only_scorers_folders_are_removed(tmp_path: Path) -> None:
    """What else an operator keeps there stays."""
    kept = tmp_path / "s" / "notes" / "0"
    kept.mkdir(parents=True)
    make_folder(folder_in(tmp_path / "s"), UID)
    remove_folders(tmp_path / "s")
    assert [path.name for path in (tmp_path / "s").iterdir()] == ["notes"]
