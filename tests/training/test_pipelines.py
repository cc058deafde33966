"""Finding notebooks and checking what is given to them."""

from pathlib import Path
from typing import Any

import pytest

from support.training import make_pipeline, write_notebook
from tiltyard.errors import InvalidInputError, NotFoundError
from tiltyard.training.pipelines import (
    Parameter,
    checked_parameters,
    declared_parameters,
    effective_parameters,
    find_notebook,
    read_notebook,
)
from tiltyard.training.plans import check_request
from tiltyard.types.registry import RunKind, RunRequest

DECLARED = """\
# What the run may be told.
estimator = "forest"  # a name = of ours
n_estimators = 100
rate: float = 0.5
max_depth: int | None = None
weights = None
columns: list[str] = []
shuffle = True
url = "a=b"
seed = hash("x")
"""


def declared(tmp_path: Path, source: str = DECLARED) -> dict[str, Parameter]:
    """Write a notebook with that cell and read what it declares."""
    return declared_parameters(read_notebook(make_pipeline(tmp_path, ["1"], source).path))


def test_the_parameters_cell_declares(tmp_path: Path) -> None:
    """Names, defaults and types come from the tagged cell, in order."""
    found = declared(tmp_path)
    assert list(found) == [
        *("estimator", "n_estimators", "rate", "max_depth", "weights"),
        *("columns", "shuffle", "url", "seed"),
    ]
    assert found["url"].default == "a=b"
    assert found["max_depth"].types == ("int", "None")
    assert not found["seed"].literal


def test_a_notebook_without_the_cell_takes_nothing(tmp_path: Path) -> None:
    """Anything given is then undeclared."""
    with pytest.raises(InvalidInputError, match="It declares: none"):
        checked_parameters({"a": 1}, declared(tmp_path, ""))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("estimator", "Wälder “x”\n\\"),
        ("n_estimators", 2**70),
        ("rate", 1),
        ("rate", 1e-300),
        ("max_depth", None),
        ("max_depth", 3),
        ("weights", {"a": [1, None]}),
        ("columns", ["a", "b"]),
        ("shuffle", False),
        ("seed", 4),
    ],
)
def test_values_of_the_declared_type_are_taken(tmp_path: Path, name: str, value: Any) -> None:
    """As they are."""
    assert checked_parameters({name: value}, declared(tmp_path)) == {name: value}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("estimator", 3),
        ("n_estimators", 2.5),
        ("n_estimators", True),
        ("n_estimators", None),
        ("shuffle", 1),
        ("columns", "a"),
        ("max_depth", "3"),
        ("rate", float("nan")),
        ("weights", float("inf")),
        ("weights", {1: 2}),
        ("weights", object()),
    ],
)
def test_other_values_are_refused_by_name(tmp_path: Path, name: str, value: Any) -> None:
    """The message names the parameter and what it takes."""
    with pytest.raises(InvalidInputError, match=f"'{name}'"):
        checked_parameters({name: value}, declared(tmp_path))


@pytest.mark.parametrize("name", ["nestimators", "", "a b", "x=1;y", "é", "__import__('os')"])
def test_an_undeclared_parameter_lists_the_declared(tmp_path: Path, name: str) -> None:
    """Whether it is a slip of the pen or an attack."""
    with pytest.raises(InvalidInputError, match=r"It declares: estimator, n_estimators"):
        checked_parameters({name: 1}, declared(tmp_path))


def test_defaults_fill_what_is_not_given(tmp_path: Path) -> None:
    """A computed default is nobody's to know."""
    effective = effective_parameters({"rate": 2.0}, declared(tmp_path))
    assert effective["rate"] == 2.0
    assert effective["n_estimators"] == 100
    assert "seed" not in effective


def test_an_unknown_pipeline_lists_the_known(tmp_path: Path) -> None:
    """Only folders with the notebook count; a path is no name."""
    make_pipeline(tmp_path, ["1"])
    write_notebook(tmp_path / "other" / "prepare.ipynb", ["1"])
    assert find_notebook(tmp_path, "demo", "train").name == "demo/train"
    for name in ("other", "../demo", "", "nope"):
        with pytest.raises(NotFoundError, match=r"Known: demo\."):
            find_notebook(tmp_path, name, "train")


def test_a_file_that_is_no_notebook_is_named(tmp_path: Path) -> None:
    """Also one whose parameters are no Python."""
    path = tmp_path / "demo" / "train.ipynb"
    path.parent.mkdir()
    path.write_text("[]")
    with pytest.raises(InvalidInputError, match=r"train\.ipynb is no Jupyter notebook"):
        read_notebook(path)
    with pytest.raises(InvalidInputError, match="is no Python"):
        declared(tmp_path, "a <- c(1, 2")


def test_a_request_is_checked_before_it_is_queued(tmp_path: Path) -> None:
    """So that a slip is told at once."""
    make_pipeline(tmp_path, ["1"], "n = 1")
    good = RunRequest(kind=RunKind.TRAIN, pipeline="demo", parameters={"n": 2})
    check_request(tmp_path, good)
    with pytest.raises(InvalidInputError):
        check_request(tmp_path, good.model_copy(update={"parameters": {"m": 2}}))
    with pytest.raises(NotFoundError):
        check_request(tmp_path, good.model_copy(update={"pipeline": "nope"}))
