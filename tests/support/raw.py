"""What a store file holds, read row by row with nothing of Tiltyard's.

The checks of the system tests stand on this, so that a wrong store, follower or summary cannot
agree with itself.
"""

import base64
import sqlite3
import struct
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

Key = tuple[int, int]


class Row(NamedTuple):
    """A logged prediction."""

    at: int
    version: int
    row: dict[str, Any]
    value: Any
    probabilities: list[float] | None


class Raw(NamedTuple):
    """All rows of one model: predictions, last known actuals, followers' scores.

    Attributes:
        scores: (version, gateway, seq) → the score as it is kept.
        cursors: version → gateway → seq.
        minutes: (version, minute, summary) of every chunk.
        rollups: (granularity, version, bucket) → summary.
    """

    predictions: dict[Key, Row]
    actuals: dict[Key, Any]
    scores: dict[tuple[int, int, int], dict[str, Any]]
    cursors: dict[int, dict[int, int]]
    watermarks: dict[int, int]
    minutes: list[tuple[int, int, Any]]
    rollups: dict[tuple[str, int, int], Any]


def read(store: Path, model: str) -> Raw:
    """Read a model's rows."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        query = "SELECT coalesce(max(id), 0) FROM model WHERE name = ?"
        (number,) = connection.execute(query, (model,)).fetchone()
        return Raw(
            _predictions(connection, number),
            _actuals(connection, number),
            _scores(connection, number),
            _cursors(connection, number),
            dict(connection.execute("SELECT number, watermark FROM gateway")),
            _minutes(connection, number),
            _rollups(connection, number),
        )


def followed(store: Path, model: str, versions: Iterable[int]) -> bool:
    """Whether these versions' cursors stand at the watermarks."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        query = "SELECT coalesce(max(id), 0) FROM model WHERE name = ?"
        (number,) = connection.execute(query, (model,)).fetchone()
        cursors = _cursors(connection, number)
        marks = dict(connection.execute("SELECT number, watermark FROM gateway"))
    return all(cursors.get(version) == marks for version in versions)


def key_of(prediction_id: str) -> Key:
    """Return gateway and seq of a prediction's id, unverified."""
    raw = base64.urlsafe_b64decode(prediction_id)
    _, gateway, seq = struct.unpack_from(">BIQ", raw)
    return gateway, seq


def _predictions(connection: sqlite3.Connection, model: int) -> dict[Key, Row]:
    found: dict[Key, Row] = {}
    rows = connection.execute("SELECT record FROM prediction WHERE model = ?", (model,))
    for (record,) in rows:
        _, gateway, seq, _, _, received, event, version, row, value, *rest = _unpack(record)
        assert (gateway, seq) not in found, f"{gateway}/{seq} is stored twice"
        probabilities = rest[0] if rest else None
        at = received if event is None else event
        found[gateway, seq] = Row(at, version, row, value, probabilities)
    return found


def _actuals(connection: sqlite3.Connection, model: int) -> dict[Key, Any]:
    found: dict[Key, tuple[tuple[int, ...], Any]] = {}
    rows = connection.execute("SELECT record FROM actual WHERE model = ?", (model,))
    for (record,) in rows:
        _, gateway, seq, _, _, received, of_gateway, of_seq, value, known = _unpack(record)
        order = (known, received, gateway, seq)
        last = found.get((of_gateway, of_seq))
        if last is None or last[0] < order:
            found[of_gateway, of_seq] = (order, value)
    return {key: value for key, (_, value) in found.items()}


def _scores(
    connection: sqlite3.Connection, model: int
) -> dict[tuple[int, int, int], dict[str, Any]]:
    found = {}
    rows = connection.execute("SELECT version, record FROM score WHERE model = ?", (model,))
    for version, record in rows:
        score = _unpack(record)
        key = (version, score["gateway"], score["seq"])
        assert key not in found, f"{key} is scored twice"
        found[key] = score
    return found


def _cursors(connection: sqlite3.Connection, model: int) -> dict[int, dict[int, int]]:
    found: dict[int, dict[int, int]] = {}
    rows = connection.execute("SELECT version, gateway, seq FROM cursor WHERE model = ?", (model,))
    for version, gateway, seq in rows:
        found.setdefault(version, {})[gateway] = seq
    return found


def _minutes(connection: sqlite3.Connection, model: int) -> list[tuple[int, int, Any]]:
    query = "SELECT version, bucket, payload FROM minute WHERE model = ?"
    rows = connection.execute(query, (model,))
    return [(version, at, _unpack(payload)) for version, at, payload in rows]


def _rollups(connection: sqlite3.Connection, model: int) -> dict[tuple[str, int, int], Any]:
    query = "SELECT granularity, version, bucket, payload FROM rollup WHERE model = ?"
    rows = connection.execute(query, (model,))
    return {(width, version, at): _unpack(payload) for width, version, at, payload in rows}


def _unpack(record: bytes) -> Any:
    return msgspec.msgpack.decode(record)
