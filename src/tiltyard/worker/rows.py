"""What a version makes of a logged row before its scorer sees it: its inputs, or a refusal.

The gateway checked the row against the model's call schema and the champion's signature; a
challenger may know fewer levels or no missing values.
"""

from collections.abc import Mapping
from typing import Any

from tiltyard.types.schema import ColumnType, Signature, UnknownLevel


class RefusalError(Exception):
    """A row that the version cannot take; the text is the reason, as it is counted."""


class Screen:
    """Applies a signature's nullability and unknown-level policies; types are checked later."""

    def __init__(self, signature: Signature) -> None:
        self._required = [c.name for c in signature.inputs if not c.nullable]
        self._choosy = [
            (c.name, frozenset(c.levels or ()), c.unknown)
            for c in signature.inputs
            if c.type is ColumnType.CATEGORY and c.unknown is not UnknownLevel.PASS
        ]

    def admit(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the row as its scorer is to see it, where None or no key is missing.

        Raises:
            RefusalError: naming the column and what is wrong with it.
        """
        for name in self._required:
            if _missing(row.get(name)):
                raise RefusalError(f"null: {name}")
        for name, levels, unknown in self._choosy:
            value = row.get(name)
            if value is not None and value not in levels:
                if unknown is UnknownLevel.REFUSE:
                    raise RefusalError(f"unknown level: {name}")
                row = {**row, name: None}
        return row


def _missing(value: Any) -> bool:
    return value is None or value != value  # noqa: PLR0124  NaN
