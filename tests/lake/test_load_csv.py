"""The embedded lake's tables come from CSV files."""

import gzip
from pathlib import Path

import pytest

from tiltyard.errors import InvalidInputError, NotFoundError
from tiltyard.lake import load_csv, load_folder, read_lake

DATA = Path(__file__).parents[2] / "pipelines" / "data"


def test_the_two_data_sets_become_tables(tmp_path: Path) -> None:
    """Every row arrives with its type; loading again changes nothing."""
    url = f"sqlite:///{tmp_path / 'deep' / 'lake.db'}"
    for _ in range(2):
        assert load_folder(url, DATA) == {"bikeshare": 8645, "shuttle": 49097}
    bikes = read_lake("SELECT * FROM bikeshare LIMIT 3", url=url)
    assert {str(bikes[c].dtype) for c in ("season", "day", "hr", "bikers")} == {"int64"}
    assert bikes["temp"].dtype == "float64"
    assert bikes["mnth"].tolist() == ["Jan", "Jan", "Jan"]
    share = read_lake("SELECT avg(anomaly) AS share, count(*) AS n FROM shuttle", url=url)
    assert share["n"].tolist() == [49097]
    assert share["share"][0] == pytest.approx(0.0715, abs=1e-4)
    tables = read_lake("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1", url=url)
    assert tables["name"].tolist() == ["bikeshare", "shuttle"]


def test_a_file_that_cannot_be_read_leaves_the_table(tmp_path: Path) -> None:
    """All or nothing: a broken file raises, the old rows stay."""
    url = f"sqlite:///{tmp_path / 'lake.db'}"
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv.gz"
    good.write_text("a,b\n1,x\n2,y\n")
    bad.write_bytes(gzip.compress(b"a,b\n1,x\n2,y,z\n"))
    load_csv(url, "t", good)
    with pytest.raises(InvalidInputError, match=r"bad\.csv\.gz"):
        load_csv(url, "t", bad)
    assert read_lake("SELECT * FROM t", url=url)["a"].tolist() == [1, 2]


@pytest.mark.parametrize("table", ["a b", 'x"; DROP TABLE y', "sqlite_master", ""])
def test_a_table_name_is_an_identifier(tmp_path: Path, table: str) -> None:
    """Nothing else reaches the SQL."""
    with pytest.raises(InvalidInputError, match="cannot name a table"):
        load_csv(f"sqlite:///{tmp_path / 'lake.db'}", table, DATA / "shuttle.csv.gz")


def test_only_the_embedded_lake_is_filled(tmp_path: Path) -> None:
    """A company's database is never written."""
    with pytest.raises(InvalidInputError, match="embedded"):
        load_csv("mysql+pymysql://lake/db", "shuttle", DATA / "shuttle.csv.gz")
    with pytest.raises(NotFoundError):
        load_csv(f"sqlite:///{tmp_path / 'lake.db'}", "t", tmp_path / "none.csv")
    with pytest.raises(NotFoundError):
        load_folder(f"sqlite:///{tmp_path / 'lake.db'}", tmp_path)
