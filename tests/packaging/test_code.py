"""Modules that travel with a version."""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from tiltyard.errors import InvalidInputError
from tiltyard.packaging.code import check_modules, copy_code


@pytest.fixture
def pipeline_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path with a module and a package that nobody has installed."""
    folder = tmp_path / "pipeline"
    (folder / "ty_package" / "inner").mkdir(parents=True)
    (folder / "ty_helper.py").write_text("def double(x):\n    return x * 2\n")
    (folder / "ty_package" / "__init__.py").write_text("")
    (folder / "ty_package" / "inner" / "__init__.py").write_text("from ty_helper import double\n")
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name in [n for n in sys.modules if n.startswith("ty_")]:
        del sys.modules[name]


def estimator(function: Any) -> Any:
    """Return a pipeline that calls a function."""
    return make_pipeline(FunctionTransformer(function), LinearRegression())


def test_installed_modules_need_not_travel() -> None:
    """What scikit-learn and numpy hold is where scorers run."""
    check_modules(estimator(abs), set())


def test_a_module_beside_the_notebook_must_be_given(pipeline_folder: Path) -> None:
    """The message names what is used and how to give it."""
    helper: ModuleType = import_module("ty_helper")
    with pytest.raises(InvalidInputError, match=r"'double' of the module 'ty_helper'.*code=\["):
        check_modules(estimator(helper.double), set())
    check_modules(estimator(helper.double), {"ty_helper"})


def test_what_the_notebook_defines_itself_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A class or function of ``__main__`` is found by nobody else."""

    def shorten(x: Any) -> Any:
        return x

    shorten.__module__, shorten.__qualname__ = "__main__", "shorten"
    monkeypatch.setattr(sys.modules["__main__"], "shorten", shorten, raising=False)
    with pytest.raises(InvalidInputError, match="'shorten', which is defined in the notebook"):
        check_modules(estimator(shorten), set())


def test_a_lambda_is_refused() -> None:
    """It has no name by which it could be found again."""
    with pytest.raises(InvalidInputError, match="cannot be pickled"):
        check_modules(estimator(lambda x: x), set())


def test_modules_packages_and_paths_are_copied(pipeline_folder: Path, tmp_path: Path) -> None:
    """Of a module in a package the whole package goes; caches stay behind."""
    into = tmp_path / "code"
    inner = import_module("ty_package.inner")
    assert copy_code([inner, str(pipeline_folder / "ty_helper.py")], into) == {
        "ty_package",
        "ty_helper",
    }
    found = sorted(p.relative_to(into).as_posix() for p in into.rglob("*") if p.is_file())
    assert found == ["ty_helper.py", "ty_package/__init__.py", "ty_package/inner/__init__.py"]


def test_nothing_to_copy_makes_no_folder(tmp_path: Path) -> None:
    """A version without code has no ``code/``."""
    assert copy_code([], tmp_path / "code") == set()
    assert not (tmp_path / "code").exists()


def test_what_is_no_module_is_refused(tmp_path: Path) -> None:
    """A missing path, a folder without a package, a name that hides Python's own."""
    (tmp_path / "json.py").touch()
    (tmp_path / "empty").mkdir()
    for path, message in (
        (tmp_path / "gone.py", "neither a .py file nor a package"),
        (tmp_path / "empty", "neither a .py file nor a package"),
        (tmp_path / "json.py", "cannot travel as module 'json'"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            copy_code([path], tmp_path / "code")
    with pytest.raises(InvalidInputError, match="has no file"):
        copy_code([sys], tmp_path / "code")
