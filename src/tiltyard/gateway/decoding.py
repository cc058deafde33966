"""Reading the bodies of calls: one compiled decoder for each model and verb."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tiltyard.errors import InvalidInputError
from tiltyard.gateway.columns import Instant, narrowed, row_struct, value_type
from tiltyard.gateway.duplicates import refuse_duplicates
from tiltyard.gateway.explain import Explainer
from tiltyard.gateway.packing import tuple_getter
from tiltyard.types.schema import CallSchema, Column, ColumnType, Signature

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
DAY_US = 86_400_000_000
YEARS = range(2, 9999)
"""In UTC every time of these years can be told, whatever its offset was."""


def microseconds(at: datetime) -> int:
    """Return UTC microseconds of an aware time."""
    return (at - EPOCH) // MICROSECOND


class RowsDecoder:
    """Reads ``{"rows": [{…}, …]}`` of one model.

    Args:
        model: its name.
        schema: its call schema.
        signature: the champion's; None when there is no champion.
        max_rows: of one call.
    """

    def __init__(
        self, model: str, schema: CallSchema, signature: Signature | None, max_rows: int
    ) -> None:
        self.columns = narrowed(schema, signature)
        self._explain = Explainer(model, "rows", self.columns, '{"rows": [{…}, …]}').error
        rows = Annotated[list[row_struct(self.columns)], Meta(min_length=1, max_length=max_rows)]  # type: ignore[misc, valid-type]  # the struct is made at run time
        self._body = msgspec.defstruct(
            "PredictRequest", [("rows", rows)], forbid_unknown_fields=True, gc=False
        )
        self._decode = msgspec.json.Decoder(self._body).decode
        self._required = sum(not column.nullable for column in self.columns)
        self._optional = tuple_getter([f"f{i}" for i, c in enumerate(self.columns) if c.nullable])
        self._times = _Times(self.columns, schema.event_time)

    def decode(self, body: bytes, now_us: int) -> tuple[Sequence[Any], list[int | None] | None]:
        """Return (rows, event times); None for the times when the model has no event time.

        Raises:
            InvalidInputError: naming row and field, with ``reason`` in the details.
            TooLargeError: more rows than allowed.
        """
        try:
            rows: list[Any] = self._decode(body).rows  # type: ignore[attr-defined]  # its one field
        except (msgspec.MsgspecError, ValueError, RecursionError) as problem:
            raise self._explain(problem, body) from None
        refuse_duplicates(body, 1 + self._keys(rows), "rows")
        return rows, self._times.check(rows, now_us)

    def convert(
        self, rows: list[dict[str, Any]], now_us: int
    ) -> tuple[Sequence[Any], list[int | None] | None]:
        """Do the same with rows that were read from something else than JSON."""
        try:
            body = msgspec.convert({"rows": rows}, self._body)
        except (msgspec.MsgspecError, ValueError) as problem:
            raise self._explain(problem) from None
        converted: list[Any] = body.rows  # type: ignore[attr-defined]  # its one field
        return converted, self._times.check(converted, now_us)

    def _keys(self, rows: list[Any]) -> int:
        count = self._required * len(rows)
        if self._required == len(self.columns):
            return count
        for row in rows:
            values = self._optional(row)
            count += len(values) - values.count(UNSET)
        return count


class _Times:
    """Checks the datetime columns of rows and takes the event times out."""

    def __init__(self, columns: Sequence[Column], event_time: str | None) -> None:
        self._fields = [
            (f"f{i}", c.name) for i, c in enumerate(columns) if c.type is ColumnType.DATETIME
        ]
        self._event_time = next((f for f, name in self._fields if name == event_time), None)
        self._event_name = event_time

    def check(self, rows: Sequence[Any], now_us: int) -> list[int | None] | None:
        for field, name in self._fields:
            for i, row in enumerate(rows):
                _check_year(getattr(row, field), i, name)
        if self._event_time is None:
            return None
        return [
            self._event(getattr(row, self._event_time), i, now_us) for i, row in enumerate(rows)
        ]

    def _event(self, at: Any, index: int, now_us: int) -> int | None:
        if not isinstance(at, datetime):
            return None
        event = microseconds(at)
        if event > now_us + DAY_US:
            raise InvalidInputError(
                f"rows[{index}].{self._event_name}: is more than a day ahead of now",
                reason="event_time",
                row=index,
                column=self._event_name,
            )
        return event


def _check_year(at: Any, index: int, name: str) -> None:
    if isinstance(at, datetime) and at.year not in YEARS:
        raise InvalidInputError(
            f"rows[{index}].{name}: the year must be from {YEARS[0]} to {YEARS[-1]}",
            reason="out_of_range",
            row=index,
            column=name,
        )


class ActualsDecoder:
    """Reads ``{"actuals": [{"id", "value", "known_at"?}, …]}`` of one model."""

    def __init__(self, model: str, target_type: ColumnType, max_rows: int) -> None:
        shape = '{"actuals": [{"id": …, "value": …}, …]}'
        names = ("id", "value", "known_at")
        columns = [Column(name=name, type=ColumnType.STRING) for name in names]
        self._explain = Explainer(model, "actuals", columns, shape).error
        item = msgspec.defstruct(
            "Actual",
            [
                ("id", str),
                ("value", value_type(target_type)),
                ("known_at", Instant | None | UnsetType, UNSET),
            ],
            forbid_unknown_fields=True,
            gc=False,
        )
        items = Annotated[list[item], Meta(min_length=1, max_length=max_rows)]  # type: ignore[valid-type]  # the struct is made at run time
        body = msgspec.defstruct(
            "ActualsRequest", [("actuals", items)], forbid_unknown_fields=True, gc=False
        )
        self._decode = msgspec.json.Decoder(body).decode

    def decode(self, body: bytes, now_us: int) -> list[tuple[str, Any, int]]:
        """Return (id, value, known_at in microseconds) of each actual.

        Raises:
            InvalidInputError: naming item and field, with ``reason`` in the details.
            TooLargeError: more actuals than allowed.
        """
        try:
            items: list[Any] = self._decode(body).actuals  # type: ignore[attr-defined]  # its one field
        except (msgspec.MsgspecError, ValueError, RecursionError) as problem:
            raise self._explain(problem, body) from None
        keys = 1 + sum(2 + (item.known_at is not UNSET) for item in items)
        refuse_duplicates(body, keys, "actuals")
        return [
            (item.id, item.value, _known_at(item.known_at, index, now_us))
            for index, item in enumerate(items)
        ]


def _known_at(at: Any, index: int, now_us: int) -> int:
    if not isinstance(at, datetime):
        return now_us
    known = microseconds(at) if at.year in YEARS else now_us + 2 * DAY_US
    if known > now_us + DAY_US:
        raise InvalidInputError(
            f"actuals[{index}].known_at: is more than a day ahead of now, or no possible year",
            reason="known_at",
            row=index,
            column="known_at",
        )
    return known
