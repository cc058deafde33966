"""Reading the data lake by SQL."""

import sqlite3
from pathlib import Path

import pandas as pd
import pytest

import tiltyard
from tiltyard.errors import InvalidInputError, NotFoundError
from tiltyard.lake import read_lake


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A lake with one small table."""
    path = tmp_path / "a lake?#.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE trips (id INTEGER, km FLOAT, note TEXT)")
        rows = [(1, 1.5, "früh: um 8"), (2, None, "a;b"), (None, 3.0, None)]
        connection.executemany("INSERT INTO trips VALUES (?, ?, ?)", rows)
    connection.close()
    return f"sqlite:///{path}".replace("?", "%3F").replace("#", "%23")


def test_a_select_gives_a_typed_frame(url: str) -> None:
    """Integers stay integers, floats floats, text text; what is missing is missing."""
    frame = read_lake("SELECT * FROM trips WHERE id IS NOT NULL ORDER BY id", url=url)
    assert frame["id"].dtype == "int64"
    assert frame["km"].dtype == "float64"
    assert frame["note"].tolist() == ["früh: um 8", "a;b"]
    assert frame["km"].isna().tolist() == [False, True]


def test_parameters_are_bound_and_never_pasted(url: str) -> None:
    """A quote in a value is only a quote."""
    frame = read_lake("SELECT id FROM trips WHERE note = :n", {"n": "' OR 1=1 --"}, url=url)
    assert frame.empty
    frame = read_lake("SELECT id FROM trips WHERE note = :n", {"n": "a;b"}, url=url)
    assert frame["id"].tolist() == [2]


def test_a_list_stands_for_in(url: str) -> None:
    """IN takes a list, also an empty one."""
    sql = "SELECT id FROM trips WHERE id IN :ids ORDER BY id"
    assert read_lake(sql, {"ids": [1, 2, 9]}, url=url)["id"].tolist() == [1, 2]
    assert read_lake(sql, {"ids": []}, url=url).empty


def test_a_colon_in_text_is_only_a_colon(url: str) -> None:
    """Without parameters nothing is bound; semicolons in text and comments are text."""
    sql = "SELECT id, ':x' AS c -- one; two\nFROM trips /* ; */ WHERE note LIKE '%: um%';"
    assert read_lake(sql, url=url).to_dict("records") == [{"id": 1, "c": ":x"}]


def test_with_is_a_query_too(url: str) -> None:
    """A common table expression may come first."""
    frame = read_lake("WITH t AS (SELECT max(km) AS km FROM trips) SELECT * FROM t", url=url)
    assert frame["km"].tolist() == [3.0]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM trips",
        "PRAGMA journal_mode = wal",
        "ATTACH DATABASE 'x' AS y",
        "-- only a comment",
        "",
        "SELECT 1; DROP TABLE trips",
        "WITH t AS (SELECT 1) DELETE FROM trips",
    ],
)
def test_nothing_but_one_query_is_sent(url: str, sql: str) -> None:
    """Writing, several statements and empty text are refused, and change nothing."""
    with pytest.raises(InvalidInputError):
        read_lake(sql, url=url)
    assert read_lake("SELECT count(*) AS n FROM trips", url=url)["n"].tolist() == [3]


def test_an_error_of_the_database_is_quoted(url: str) -> None:
    """The message is the database's sentence, not a traceback."""
    with pytest.raises(InvalidInputError, match=r"^The data lake refuses .*no such table: nope\.$"):
        read_lake("SELECT * FROM nope", url=url)


@pytest.mark.parametrize("params", [{"n": 1, "more": 2}, {"other": 1}])
def test_parameters_must_be_those_of_the_sql(url: str, params: dict[str, int]) -> None:
    """A forgotten or unknown parameter is named."""
    with pytest.raises(InvalidInputError, match=r":n and params gives :"):
        read_lake("SELECT * FROM trips WHERE id = :n", params, url=url)


def test_a_missing_lake_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No empty database file is made by looking; the settings' lake is the default."""
    monkeypatch.setenv("TILTYARD_HOME", str(tmp_path))
    with pytest.raises(NotFoundError, match="run `tiltyard lake load`"):
        tiltyard.read_lake("SELECT 1")
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_url_is_named(tmp_path: Path) -> None:
    """Text that is no URL is refused."""
    with pytest.raises(InvalidInputError, match="no SQLAlchemy URL"):
        read_lake("SELECT 1", url="lake")


def test_the_frame_is_a_pandas_frame(url: str) -> None:
    """An empty result has its columns."""
    frame = read_lake("SELECT * FROM trips WHERE 0", url=url)
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == ["id", "km", "note"]
