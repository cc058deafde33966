"""Pipelines: folders of parameterized notebooks, ``<name>/prepare.ipynb`` and ``train.ipynb``."""

import ast
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from tiltyard.errors import InvalidInputError, NotFoundError
from tiltyard.training.r_defaults import UNKNOWN, assigned

STEPS = ("prepare", "train")
PARAMETERS_TAG = "parameters"

PYTHON, R = "python", "r"
R_KERNEL = "ir"

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_UNKNOWN = object()
_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "list": (list,),
    "dict": (dict,),
    "None": (type(None),),
}


@dataclass(frozen=True)
class Parameter:
    """A declared parameter of a notebook.

    Attributes:
        types: names of the JSON-able types it takes; empty means any.
        default: its value, None also if that is computed (``literal`` is False).
    """

    name: str
    types: tuple[str, ...]
    default: Any = None
    literal: bool = True


@dataclass(frozen=True)
class Notebook:
    """A notebook of a pipeline; the files beside it are its helper modules."""

    pipeline: str
    step: str
    path: Path

    @property
    def name(self) -> str:
        """``<pipeline>/<step>``, as provenance has it."""
        return f"{self.pipeline}/{self.step}"


def find_notebook(root: Path, pipeline: str, step: str) -> Notebook:
    """Return a pipeline's notebook.

    Raises:
        NotFoundError: there is none; the known ones are listed.
    """
    known = sorted(path.parent.name for path in root.glob(f"*/{step}.ipynb"))
    if pipeline not in known:
        raise NotFoundError(f"pipeline in {root} with a notebook {step}.ipynb:", pipeline, known)
    return Notebook(pipeline, step, root / pipeline / f"{step}.ipynb")


def read_notebook(path: Path) -> Any:
    """Return a notebook as nbformat 4.

    Raises:
        InvalidInputError: it is no notebook.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path} is no Jupyter notebook: {error}.") from None
    return parse_notebook(text, str(path))


def parse_notebook(text: str, name: str) -> Any:
    """Return a notebook's text as nbformat 4.

    Raises:
        InvalidInputError: it is no notebook; the name is told.
    """
    try:
        return nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
    # nbformat raises whatever a strange file makes it stumble over.
    except Exception as error:
        raise InvalidInputError(f"{name} is no Jupyter notebook: {error}.") from None


def language_of(notebook: Any) -> str:
    """Return the language that a notebook's kernel speaks: ``r``, else ``python``."""
    spec = notebook.metadata.get("kernelspec", {})
    told = notebook.metadata.get("language_info", {}).get("name") or spec.get("language", "")
    return R if str(told).lower() == R or spec.get("name") == R_KERNEL else PYTHON


def declared_parameters(notebook: Any) -> dict[str, Parameter]:
    """Return what the cell tagged ``parameters`` assigns, in its order.

    papermill's own inspection passes over a line with a second equals sign, so Python reads it. Of
    R's assignments those count that begin a line.

    Raises:
        InvalidInputError: the cell is no Python.
    """
    cells = [c for c in notebook.cells if PARAMETERS_TAG in c.metadata.get("tags", [])]
    if not cells:
        return {}
    if language_of(notebook) == R:
        return {name: _of_r(name, value) for name, value in assigned(cells[0].source).items()}
    try:
        statements = ast.parse(cells[0].source).body
    except SyntaxError as error:
        raise InvalidInputError(f"The cell tagged 'parameters' is no Python: {error}.") from None
    found = (parameter for line in statements for parameter in _declared(line))
    return {parameter.name: parameter for parameter in found}


def checked_parameters(
    given: Mapping[str, Any], declared: Mapping[str, Parameter]
) -> dict[str, Any]:
    """Return the given parameters, all of them usable.

    Raises:
        InvalidInputError: one is not declared, of another type than its default, or no JSON.
    """
    for name, value in given.items():
        _check_name(name, declared)
        _check_json(name, value)
        _check_type(declared[name], value)
    return dict(given)


def effective_parameters(
    given: Mapping[str, Any], declared: Mapping[str, Parameter]
) -> dict[str, Any]:
    """Return the defaults with the given ones over them; computed defaults are left out."""
    defaults = {name: p.default for name, p in declared.items() if p.literal}
    return {**defaults, **given}


def _of_r(name: str, value: Any) -> Parameter:
    if value is UNKNOWN or not _is_json(value):
        return Parameter(name, (), literal=False)
    # What a scalar's default is a list may be, and the other way round: R has vectors only.
    types = _types_of(value)
    return Parameter(name, () if types in {("list",), ("dict",)} else types, value)


def _declared(statement: ast.stmt) -> list[Parameter]:
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return [_parameter(statement.target.id, statement.value, statement.annotation)]
    if isinstance(statement, ast.Assign):
        names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
        return [_parameter(name, statement.value, None) for name in names]
    return []


def _parameter(name: str, value: ast.expr | None, annotation: ast.expr | None) -> Parameter:
    default = _UNKNOWN if value is None else _literal(value)
    types = _annotated(annotation) if annotation is not None else _types_of(default)
    if default is _UNKNOWN or not _is_json(default):
        return Parameter(name, types, literal=False)
    return Parameter(name, types, default)


def _literal(value: ast.expr) -> Any:
    try:
        return ast.literal_eval(value)
    except ValueError:
        return _UNKNOWN


def _types_of(default: Any) -> tuple[str, ...]:
    if default is None:
        return ()
    name = type(default).__name__
    return (name,) if name in _JSON_TYPES else ()


def _annotated(annotation: ast.expr) -> tuple[str, ...]:
    """Return the known type names of ``int | None``, ``list[str]``, and so on."""
    if isinstance(annotation, ast.BinOp):
        left, right = _annotated(annotation.left), _annotated(annotation.right)
        return (*left, *right) if left and right else ()
    if isinstance(annotation, ast.Subscript):
        return _annotated(annotation.value)
    word = ast.unparse(annotation)
    return (word,) if word in _JSON_TYPES else ()


def _check_name(name: str, declared: Mapping[str, Parameter]) -> None:
    if not _NAME.fullmatch(name) or name not in declared:
        listing = ", ".join(declared) or "none"
        raise InvalidInputError(
            f"The notebook declares no parameter {name!r}. It declares: {listing}.",
            parameter=name,
            declared=list(declared),
        )


def _check_json(name: str, value: Any) -> None:
    if not _is_json(value):
        raise InvalidInputError(
            f"Parameter {name!r} is no JSON value: use finite numbers, text, true, false, null, "
            "lists and objects.",
            parameter=name,
        )


def _check_type(parameter: Parameter, value: Any) -> None:
    accepted = [t for name in parameter.types for t in _JSON_TYPES[name]]
    if not accepted or type(value) in accepted:
        return
    raise InvalidInputError(
        f"Parameter {parameter.name!r} takes {' or '.join(parameter.types)}, "
        f"not {type(value).__name__} ({value!r}).",
        parameter=parameter.name,
    )


def _is_json(value: Any) -> bool:
    try:
        return bool(json.loads(json.dumps(value, allow_nan=False)) == value)
    except (TypeError, ValueError):
        return False
