"""In what unit a variable is drawn."""

from tiltyard.types.registry import Model
from tiltyard.types.schema import ColumnType, Task

SHARE, NUMBER = "share", "number"
_UNITS = {
    ColumnType.BOOL: SHARE,
    ColumnType.CATEGORY: SHARE,
    ColumnType.STRING: SHARE,
    ColumnType.DATE: "date",
    ColumnType.DATETIME: "time",
}


def unit_of(model: Model, variable: str) -> str:
    """Return ``number``, ``share`` (of rows), ``time`` (seconds) or ``date`` (days)."""
    if variable == model.call_schema.target:
        return SHARE if model.task is Task.CLASSIFICATION else NUMBER
    column = model.call_schema.column(variable)
    return NUMBER if column is None else _UNITS.get(column.type, NUMBER)
