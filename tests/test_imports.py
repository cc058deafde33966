"""The layout's promise: imports go one way."""

import ast
from pathlib import Path

import tiltyard

ROOT = Path(tiltyard.__file__).parent
ROWS = [
    {"errors", "settings", "types"},
    {"registry", "lake", "stores", "spool", "artifacts", "evaluation", "client", "containers"},
    {"scoring"},
    {"packaging"},
    {"deployers", "training"},
    {"gateway", "control", "worker", "monitor", "hub", "cli"},
]
ROW = {room: number for number, rooms in enumerate(ROWS) for room in rooms}


def room_of(path: Path) -> str:
    """Return the room a file stands in."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """Return the rooms of Tiltyard that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
    return {n.split(".")[1] for n in names if n.startswith("tiltyard.")}


def test_each_room_imports_only_rooms_below_it() -> None:
    """A room imports itself and lower rows; only the bottom row imports within the row."""
    wrong = []
    for path in ROOT.rglob("*.py"):
        room = room_of(path)
        if room == "__init__":
            continue
        for other in imported_rooms(path) - {room}:
            below = ROW[other] < ROW[room] or ROW[other] == ROW[room] == 0
            if not below:
                wrong.append(f"{path.relative_to(ROOT)} imports {other}")
    assert not wrong


def test_errors_and_types_stand_alone() -> None:
    """The errors import nothing of Tiltyard, so that anything can import them."""
    assert imported_rooms(ROOT / "errors.py") == set()
