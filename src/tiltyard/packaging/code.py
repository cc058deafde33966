"""Modules that travel with a version, and those that must."""

import importlib.metadata
import pickle
import shutil
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from tiltyard.errors import InvalidInputError

Code = ModuleType | Path | str

_IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")


def copy_code(code: Iterable[Code], into: Path) -> set[str]:
    """Copy modules and packages into a folder; return their names.

    Args:
        code: modules, or paths of ``.py`` files or of package folders. Of a module in a package
            the whole package is copied.
        into: the version's ``code/``; made only when there is something to copy.

    Raises:
        InvalidInputError: a path is not there, or a name would hide a module of Python.
    """
    names = set()
    for item in code:
        path = _path_of(item)
        name = path.stem
        _check_name(name, path)
        into.mkdir(exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, into / name, ignore=_IGNORED, dirs_exist_ok=True)
        else:
            shutil.copyfile(path, into / path.name)
        names.add(name)
    return names


def check_modules(estimator: Any, given: set[str]) -> None:
    """Refuse an estimator that a scorer could not load.

    Args:
        estimator: to be pickled.
        given: names of the modules that travel with it.

    Raises:
        InvalidInputError: naming a class of ``__main__``, a module that is neither installed nor
            given, or what cannot be pickled at all.
    """
    for module, name in sorted(_globals_of(estimator)):
        top = module.partition(".")[0]
        if module == "__main__":
            raise InvalidInputError(
                f"The model uses {name!r}, which is defined in the notebook itself, where no "
                "scorer finds it: move it to a module beside the notebook, import it from there, "
                "and give log_model(code=[that_module]).",
                name=name,
            )
        if top not in given and not _is_installed(top):
            raise InvalidInputError(
                f"The model uses {name!r} of the module {top!r}, which is not installed where "
                f"scorers run: import {top}, and give log_model(code=[{top}]).",
                module=top,
            )


def _path_of(item: Code) -> Path:
    if isinstance(item, ModuleType):
        top = sys.modules.get(item.__name__.partition(".")[0], item)
        file = getattr(top, "__file__", None)
        if not file:
            raise InvalidInputError(f"Module {item.__name__!r} has no file: give its path.")
        path = Path(file)
        return path.parent if path.name == "__init__.py" else path
    path = Path(item).resolve()
    if not (path.suffix == ".py" and path.is_file()) and not (path / "__init__.py").is_file():
        raise InvalidInputError(f"code names {item}, which is neither a .py file nor a package.")
    return path


def _check_name(name: str, path: Path) -> None:
    if name in sys.stdlib_module_names or name == "tiltyard" or not name.isidentifier():
        raise InvalidInputError(f"{path} cannot travel as module {name!r}: rename it.")


def _globals_of(estimator: Any) -> set[tuple[str, str]]:
    seeing = _Seeing()
    try:
        seeing.dump(estimator)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise InvalidInputError(
            f"The model cannot be pickled: {error}. Functions must be defined by name in a module "
            "that is given by log_model(code=[…])."
        ) from None
    return seeing.found


class _Nowhere:
    def write(self, data: Any) -> int:
        return len(data)


class _Seeing(pickle.Pickler):
    """Notes all classes and functions that a pickle would name."""

    def __init__(self) -> None:
        super().__init__(_Nowhere(), protocol=5, buffer_callback=lambda _: None)
        self.found: set[tuple[str, str]] = set()

    def persistent_id(self, obj: Any) -> None:
        if isinstance(obj, type | FunctionType | BuiltinFunctionType):
            self.found.add((obj.__module__ or "builtins", obj.__qualname__))


def _is_installed(top: str) -> bool:
    if top in sys.stdlib_module_names or top in sys.builtin_module_names or top == "tiltyard":
        return True
    file = getattr(sys.modules.get(top), "__file__", None)
    places = {sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib", "platstdlib")}
    if file is not None and any(Path(file).is_relative_to(place) for place in places):
        return True
    # Reading all that is installed is slow, and needed only for what lies elsewhere (editable).
    return top in importlib.metadata.packages_distributions()
