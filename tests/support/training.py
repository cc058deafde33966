"""Notebooks made for tests."""

from collections.abc import Sequence
from pathlib import Path

from nbformat import v4, write

from tiltyard.training.pipelines import Notebook

_KERNEL = {
    "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
    "language_info": {"name": "python"},
}


def write_notebook(path: Path, cells: Sequence[str], parameters: str = "") -> None:
    """Write a notebook; a cell that begins with ``# `` is Markdown."""
    made = [_cell(text) for text in cells]
    if parameters:
        made.insert(0, v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))  # type: ignore[no-untyped-call]
    path.parent.mkdir(parents=True, exist_ok=True)
    notebook = v4.new_notebook(cells=made, metadata=_KERNEL)  # type: ignore[no-untyped-call]
    write(notebook, str(path))  # type: ignore[no-untyped-call]


def make_pipeline(
    root: Path, cells: Sequence[str], parameters: str = "", *, step: str = "train"
) -> Notebook:
    """Write a pipeline named ``demo`` with one notebook."""
    path = root / "demo" / f"{step}.ipynb"
    write_notebook(path, cells, parameters)
    return Notebook("demo", step, path)


def _cell(text: str) -> object:
    if text.startswith("# "):
        return v4.new_markdown_cell(text)  # type: ignore[no-untyped-call]
    return v4.new_code_cell(text)  # type: ignore[no-untyped-call]
