"""Small versions made by R itself, with what R predicts of a thousand difficult rows."""

import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from tiltyard.packaging.folder import seal
from tiltyard.scoring.engines.base import Doubles, Scores
from tiltyard.scoring.golden import GOLDEN_FILE, PREFIX
from tiltyard.scoring.tables import ARROW, scores_columns, write_table
from tiltyard.types.registry import VersionManifest
from tiltyard.types.schema import Column, ColumnType, Label, Output, Signature, Task

SCRIPT = Path(__file__).with_name("models.R")
ROWS = 1000
GOLDEN = 100
LEVELS = ("grün", "Ñandú", "日本", "b c", "")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Kind(NamedTuple):
    """What a version of a kind takes and predicts."""

    inputs: tuple[str, ...]
    classes: tuple[Label, ...] | None = None
    probabilities: bool = False


_COMPLETE = ("a", "b", "small", "group")
_THIRDS = ("high", "low", "mid")
KINDS = {
    "lm": Kind(_COMPLETE),
    "glm": Kind(_COMPLETE, ("über", "unter"), probabilities=True),
    "rpart": Kind(("a", "small", "level", "count", "flag")),
    "randomForest": Kind(_COMPLETE, _THIRDS, probabilities=True),
    "ranger": Kind(_COMPLETE, _THIRDS, probabilities=True),
    "glmnet": Kind(_COMPLETE, _THIRDS, probabilities=True),
    "multinom": Kind(("a", "small", "group"), _THIRDS, probabilities=True),
    "same": Kind(
        ("a", "b", "small", "group", "x", "big", "count", "flag", "level", "text", "day", "at")
    ),
    "labels": Kind(("a",), ("grün", "日本")),
    "hazard": Kind(("a",)),
}

COLUMNS = {
    c.name: c
    for c in (
        Column(name="a", type=ColumnType.FLOAT64),
        Column(name="b", type=ColumnType.FLOAT64),
        Column(name="small", type=ColumnType.INT64),
        Column(name="group", type=ColumnType.CATEGORY, levels=LEVELS[:3]),
        Column(name="x", type=ColumnType.FLOAT64, nullable=True),
        Column(name="big", type=ColumnType.INT64, nullable=True),
        Column(name="count", type=ColumnType.INT64, nullable=True),
        Column(name="flag", type=ColumnType.BOOL, nullable=True),
        Column(name="level", type=ColumnType.CATEGORY, levels=LEVELS, nullable=True),
        Column(name="text", type=ColumnType.STRING, nullable=True),
        Column(name="day", type=ColumnType.DATE, nullable=True),
        Column(name="at", type=ColumnType.DATETIME, nullable=True),
    )
}
DTYPES = {
    "a": "double",
    "b": "double",
    "small": "integer",
    "group": "factor",
    "x": "double",
    "big": "double",
    "count": "integer",
    "flag": "logical",
    "level": "factor",
    "text": "character",
    "day": "Date",
    "at": "POSIXct",
}

_CONVERTERS: dict[ColumnType, Callable[[float], Any]] = {
    ColumnType.FLOAT64: float,
    ColumnType.INT64: int,
    ColumnType.BOOL: bool,
    ColumnType.DATE: lambda days: date.fromordinal(date(1970, 1, 1).toordinal() + int(days)),
    ColumnType.DATETIME: lambda s: EPOCH + timedelta(microseconds=round(s * 1e6)),
}


class RModels:
    """Everything that one run of R made.

    Args:
        folder: where; it must be empty.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        command = ("Rscript", "--vanilla", str(SCRIPT), str(folder))
        environment = {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin:/usr/local/bin"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr
        self.columns = {name: _read(folder / "rows" / name, name) for name in COLUMNS}

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """Return the rows as an application would hold them."""
        names = KINDS[kind].inputs
        columns = [self.columns[name] for name in names]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def expected(self, kind: str) -> Doubles:
        """Return what R predicted, rows x 1 or rows x classes."""
        flat = np.fromfile(self._folder / f"{kind}.expected", dtype="<f8")
        return np.ascontiguousarray(flat.reshape(-1, ROWS).T)

    def scores(self, kind: str) -> Scores:
        """Return what R predicted, as an engine would."""
        expected, what = self.expected(kind), KINDS[kind]
        if what.classes is None:
            return Scores(expected[:, 0])
        if what.probabilities:
            return Scores([what.classes[i] for i in expected.argmax(axis=1)], expected)
        return Scores([what.classes[int(i) - 1] for i in expected[:, 0]])

    def write(self, kind: str, into: Path) -> VersionManifest:
        """Write a version's folder, which must not exist."""
        shutil.copytree(self._folder / kind, into)
        wanted = signature(kind)
        scores, rows = self.scores(kind), GOLDEN
        table = pa.table(
            {
                c.name: pa.array(
                    self.columns[c.name][:rows] if kind != "same" else self.columns[c.name],
                    ARROW[c.type],
                )
                for c in wanted.inputs
            }
        )
        if kind != "same":  # which knows only all rows at once
            few = None if scores.probabilities is None else scores.probabilities[:rows]
            scores = Scores(scores.values[:rows], few)
        for name, column in scores_columns(wanted.output, scores, PREFIX).items():
            table = table.append_column(name, column)
        write_table(into / GOLDEN_FILE, table)
        return seal(into, **manifest_fields(kind))


def signature(kind: str) -> Signature:
    """Return the signature of a kind."""
    inputs, classes, probabilities = KINDS[kind]
    kind_of = ColumnType.FLOAT64 if classes is None else ColumnType.STRING
    output = Output(name="y", type=kind_of, classes=classes, probabilities=probabilities)
    return Signature(inputs=tuple(COLUMNS[name] for name in inputs), output=output)


def manifest_fields(kind: str) -> dict[str, Any]:
    """Return the fields of a kind's ``version.json``, but its files."""
    classifies = KINDS[kind].classes is not None
    return {
        "model": kind.lower(),
        "task": Task.CLASSIFICATION if classifies else Task.REGRESSION,
        "language": "r",
        "engine": "r",
        "signature": signature(kind),
        "dtypes": {name: DTYPES[name] for name in KINDS[kind].inputs},
        "created_at": datetime.now(UTC),
    }


def _read(path: Path, name: str) -> list[Any]:
    kind = COLUMNS[name].type
    if kind in {ColumnType.STRING, ColumnType.CATEGORY}:
        lines = path.read_bytes().decode().split("\n")[:-1]
        return [None if line == "<NA>" else line for line in lines]
    numbers = np.fromfile(path, dtype="<f8").tolist()
    convert = _CONVERTERS[kind]
    return [None if number != number else convert(number) for number in numbers]  # noqa: PLR0124  NaN
