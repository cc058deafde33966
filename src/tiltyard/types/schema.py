"""Columns, signatures of versions and call schemas of models."""

import re
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from tiltyard.types.base import Document, digest

Label = bool | int | str
"""A class of a classifier, as it stands in JSON."""

ModelName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]


NAMES = (
    "names are texts of 1 to 200 characters without quotation marks, backslashes and "
    "control characters"
)
"""What a column may be named: a key of a JSON object that needs no escape."""

_NAME = re.compile(r'[^"\\\x00-\x1f\x7f\ud800-\udfff]{1,200}')


def can_name_column(name: str) -> bool:
    """Whether a text can be a column's name, see `NAMES`."""
    return _NAME.fullmatch(name) is not None


def _column_name(name: str) -> str:
    if not can_name_column(name):
        raise ValueError(f"{name!r} cannot name a column: {NAMES}")
    return name


class Task(StrEnum):
    """What a model predicts."""

    REGRESSION = "regression"
    CLASSIFICATION = "classification"


class ColumnType(StrEnum):
    """Types a column can have.

    A ``date`` travels as ISO text; a ``datetime`` as RFC 3339 text with an offset in JSON,
    as an aware datetime in MessagePack, and is kept as UTC microseconds.
    """

    BOOL = "bool"
    INT64 = "int64"
    FLOAT64 = "float64"
    STRING = "string"
    CATEGORY = "category"
    DATE = "date"
    DATETIME = "datetime"


class UnknownLevel(StrEnum):
    """What a category column does with a level that training never saw."""

    REFUSE = "refuse"
    MISSING = "missing"
    PASS = "pass"  # noqa: S105  the word of the design, no password


class Column(Document):
    """One column of a schema.

    Attributes:
        levels: of a category, in the order of the training data.
        minimum: least value seen in training; for drift, it never refuses.
        maximum: greatest value seen in training; likewise.
    """

    name: Annotated[str, AfterValidator(_column_name)]
    type: ColumnType
    nullable: bool = False
    levels: tuple[str, ...] | None = None
    unknown: UnknownLevel = UnknownLevel.PASS
    minimum: float | None = None
    maximum: float | None = None
    unit: str | None = None
    description: str | None = None

    @model_validator(mode="after")
    def _levels_belong_to_categories(self) -> Self:
        if (self.levels is not None) != (self.type is ColumnType.CATEGORY):
            raise ValueError(f"column {self.name!r}: levels and type 'category' go together")
        return self


class Output(Document):
    """What a version predicts.

    Attributes:
        classes: of a classifier, in the order of its probabilities.
    """

    name: str
    type: ColumnType
    classes: tuple[Label, ...] | None = None
    probabilities: bool = False


class Signature(Document):
    """Input and output schema of one version."""

    inputs: tuple[Column, ...]
    output: Output

    @property
    def digest(self) -> str:
        """SHA-256 of the signature, which scorer and gateway compare at their hello."""
        return digest(self.model_dump(mode="json"))


class CallSchema(Document):
    """What applications send for a model. It only widens; new columns are nullable.

    Attributes:
        columns: what a row of a call may hold; includes ``event_time`` when that is named.
        target: name of the column that actuals give.
        event_time: name of the datetime column that says when a row happened.
    """

    columns: tuple[Column, ...]
    target: str
    target_type: ColumnType
    event_time: str | None = None

    def column(self, name: str) -> Column | None:
        """Return the column of that name, if there is one."""
        return next((c for c in self.columns if c.name == name), None)
