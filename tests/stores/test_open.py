"""Opening a store by its URL."""

import sqlite3
from pathlib import Path

import pytest

from tiltyard.errors import IntegrityError, InvalidInputError, UnavailableError
from tiltyard.stores import open_store


def test_an_unknown_kind_names_the_known_ones() -> None:
    """A URL of an unknown scheme says which there are."""
    with pytest.raises(InvalidInputError, match=r"'mongodb'.*sqlite://"):
        open_store("mongodb://localhost/x")


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:store.db"])
def test_a_url_without_a_file_is_refused(url: str) -> None:
    """A SQLite URL has to name a file."""
    with pytest.raises(InvalidInputError, match="names no file"):
        open_store(url)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The file is named, with what to look at."""
    with pytest.raises(UnavailableError, match=r"nowhere/store\.db.*folder exists"):
        open_store(f"sqlite:///{tmp_path}/nowhere/store.db")


def test_a_file_that_is_no_database_is_an_integrity_error(tmp_path: Path) -> None:
    """Other bytes than SQLite's are not overwritten."""
    file = tmp_path / "store.db"
    file.write_bytes(b"not a database, but long enough to have a header" * 100)
    with pytest.raises(IntegrityError, match="damaged"):
        open_store(f"sqlite:///{file}")
    assert file.read_bytes().startswith(b"not a database")


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """An older Tiltyard does not touch what a newer one has migrated."""
    url = f"sqlite:///{tmp_path}/store.db"
    open_store(url).close()
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(IntegrityError, match="schema version 99"):
        open_store(url)


def test_a_relative_url_is_of_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three slashes name a file here; it stays that file when the folder changes."""
    monkeypatch.chdir(tmp_path)
    store = open_store("sqlite:///here.db")
    monkeypatch.chdir("/")
    assert store.watermarks() == {}
    store.close()
    assert (tmp_path / "here.db").exists()


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    """Using a store after its end is an error in words."""
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    store.close()
    with pytest.raises(UnavailableError, match="closed"):
        store.watermarks()
