"""The key of a run changes with what the version follows from, and with nothing else."""

from pathlib import Path

import nbformat

from support.training import make_pipeline
from tiltyard.training.keys import environment_digest, module_digests, notebook_digest, run_key
from tiltyard.training.pipelines import read_notebook


def test_outputs_and_prose_change_no_key(tmp_path: Path) -> None:
    """Saving a notebook after a look at it makes no new run; a changed cell does."""
    path = make_pipeline(tmp_path, ["# Step", "print(1)"], "n = 1").path
    notebook = read_notebook(path)
    before = notebook_digest(notebook)
    notebook.cells[2].outputs = [nbformat.v4.new_output("stream", text="1")]  # type: ignore[no-untyped-call]
    notebook.cells[2].execution_count = 7
    notebook.cells[1].source = "# Another step"
    assert notebook_digest(notebook) == before
    notebook.cells[2].source = "print(2)"
    assert notebook_digest(notebook) != before


def test_helper_modules_count_and_left_overs_do_not(tmp_path: Path) -> None:
    """Caches, checkpoints and the notebooks themselves are left out."""
    folder = make_pipeline(tmp_path, ["1"]).path.parent
    (folder / "features.py").write_text("x = 1\n")
    before = module_digests(folder)
    assert list(before) == ["features.py"]
    for name in ("__pycache__/features.pyc", ".ipynb_checkpoints/train-checkpoint.py", ".hidden"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("?")
    assert module_digests(folder) == before
    (folder / "features.py").write_text("x = 2\n")
    assert module_digests(folder) != before


def test_each_part_changes_the_key() -> None:
    """Order of parameters does not; 1 and 1.0 and True are three values."""
    parts = {"notebook": "n", "modules": {"m": "1"}, "environment": "e", "history": "h"}
    key = run_key(parameters={"a": 1, "b": 2}, **parts)  # type: ignore[arg-type]
    assert key == run_key(parameters={"b": 2, "a": 1}, **parts)  # type: ignore[arg-type]
    others = [
        run_key("x", {"m": "1"}, {"a": 1, "b": 2}, "e", "h"),
        run_key("n", {"m": "2"}, {"a": 1, "b": 2}, "e", "h"),
        run_key("n", {"m": "1"}, {"a": 1.0, "b": 2}, "e", "h"),
        run_key("n", {"m": "1"}, {"a": True, "b": 2}, "e", "h"),
        run_key("n", {"m": "1"}, {"a": 1, "b": 2}, "x", "h"),
        run_key("n", {"m": "1"}, {"a": 1, "b": 2}, "e", "x"),
    ]
    assert len({key, *others}) == 7


def test_the_environment_is_the_same_twice() -> None:
    """Whatever order distributions are found in."""
    first = environment_digest()
    environment_digest.cache_clear()
    assert environment_digest() == first
