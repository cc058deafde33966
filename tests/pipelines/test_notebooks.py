"""The notebooks as they are kept: clean, with parameters, headings and stable ids."""

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tiltyard.training.pipelines import declared_parameters, language_of, read_notebook

PIPELINES = Path(__file__).parents[2] / "pipelines"
NOTEBOOKS = sorted(PIPELINES.glob("*/*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def notebook(request: pytest.FixtureRequest) -> Any:
    """Each notebook in turn."""
    content = read_notebook(request.param)
    nbformat.validate(content)
    return content


def test_every_pipeline_prepares_and_trains() -> None:
    """Two notebooks for each data set and language."""
    names = {(path.parent.name, path.stem) for path in NOTEBOOKS}
    pipelines = ("bikeshare", "bikeshare-r", "shuttle", "shuttle-r")
    assert names == {(p, s) for p in pipelines for s in ("prepare", "train")}


def test_no_outputs_are_kept(notebook: Any) -> None:
    """Neither outputs nor counts, so that a change of a notebook is a change of its text."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)


def test_ids_are_words(notebook: Any) -> None:
    """Nobody's editor makes them anew."""
    ids = [cell.id for cell in notebook.cells]
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", id_) for id_ in ids)
    assert len(set(ids)) == len(ids)


def test_each_step_has_a_heading_and_short_cells(notebook: Any) -> None:
    """A title first; progress shows the heading of the cell at work."""
    first, *rest = notebook.cells
    assert first.source.startswith("# ")
    assert all(c.source.startswith("## ") for c in rest if c.cell_type == "markdown")
    assert all(len(c.source.splitlines()) <= 40 for c in notebook.cells)


def test_parameters_say_what_they_mean(notebook: Any) -> None:
    """All are literal, and the model is one of them."""
    declared = declared_parameters(notebook)
    assert "model" in declared
    assert all(parameter.literal for parameter in declared.values())


def test_the_kernel_is_plain_python_or_r(notebook: Any) -> None:
    """No name of somebody's own environment."""
    language = language_of(notebook)
    assert notebook.metadata.kernelspec.name == {"python": "python3", "r": "ir"}[language]
