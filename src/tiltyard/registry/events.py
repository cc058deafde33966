"""What happened, in order: the source of control's event stream."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select

from tiltyard.registry.clock import instant, now
from tiltyard.registry.database import Database
from tiltyard.registry.tables import events
from tiltyard.types.registry import Event

KEPT = 10_000
"""Newest events that are kept."""


class Events:
    """The newest events. Ids grow in the order of commits."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, kind: str, model: str | None, data: Mapping[str, Any]) -> Event:
        """Append an event of its own; changes of the registry append theirs themselves."""
        with self._database.write() as connection:
            number = record(connection, kind, model, data)
            row = connection.execute(select(events).where(events.c.id == number)).mappings().one()
            return _event(row)

    def after(self, id: int, limit: int = 1000) -> list[Event]:  # noqa: A002  its name there
        """Return the oldest events with a greater id, in order."""
        query = select(events).where(events.c.id > id).order_by(events.c.id).limit(limit)
        with self._database.read() as connection:
            return [_event(row) for row in connection.execute(query).mappings()]


def record(connection: Connection, kind: str, model: str | None, data: Mapping[str, Any]) -> int:
    """Append an event in the caller's transaction, drop the oldest; return its id."""
    values = {"at": now(), "kind": kind, "model": model, "data": json.dumps(dict(data))}
    (number,) = connection.execute(insert(events).values(values)).inserted_primary_key or (0,)
    connection.execute(delete(events).where(events.c.id <= number - KEPT))
    return int(number)


def _event(row: RowMapping) -> Event:
    return Event(
        id=row["id"],
        at=instant(row["at"]),
        kind=row["kind"],
        model=row["model"],
        data=json.loads(row["data"]),
    )
