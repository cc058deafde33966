"""A model's ledger: a chain of SHA-256 over stored bytes, and what an inspection finds.

The hash of an entry is SHA-256(hash of the one before, as ASCII hex + stored bytes); the first
follows the empty text. The stored bytes are the canonical JSON of all the entry says; the
other columns repeat them for display. Someone who can write the database can also make a new
chain: heads that gateways have kept show that.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from tiltyard.errors import InvalidInputError
from tiltyard.registry.clock import instant, microseconds, now
from tiltyard.registry.tables import ledger
from tiltyard.types.base import canonical_json
from tiltyard.types.registry import LedgerEntry, LedgerHead


def chained(previous_hash: str, stored: bytes) -> str:
    """Return the hash (hex) of an entry that follows another."""
    return hashlib.sha256(previous_hash.encode() + stored).hexdigest()


def read(connection: Connection, model: str) -> list[dict[str, Any]]:
    """Return the rows of a model's ledger in order."""
    query = select(ledger).where(ledger.c.model == model).order_by(ledger.c.number)
    return [dict(row) for row in connection.execute(query).mappings()]


def head(connection: Connection, model: str) -> LedgerHead:
    """Return length and last hash of a model's ledger."""
    query = (
        select(ledger.c.number, ledger.c.hash)
        .where(ledger.c.model == model)
        .order_by(ledger.c.number.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    return LedgerHead() if row is None else LedgerHead(length=row.number, hash=row.hash)


def append(
    connection: Connection,
    model: str,
    who: str,
    action: str,
    from_version: int | None,
    to_version: int | None,
    reason: str,
    evidence: Mapping[str, Any],
) -> LedgerEntry:
    """Append an entry in the caller's transaction.

    Raises:
        InvalidInputError: the evidence is not JSON (NaN is not).
    """
    last = head(connection, model)
    values: dict[str, Any] = {
        "model": model,
        "number": last.length + 1,
        "at": now(),
        "who": who,
        "action": action,
        "from_version": from_version,
        "to_version": to_version,
        "reason": reason,
        "evidence": _evidence(evidence),
    }
    stored = canonical_json(_said(values))
    values |= {
        "stored": stored,
        "previous_hash": last.hash,
        "hash": chained(last.hash, stored),
    }
    connection.execute(insert(ledger).values(values))
    return to_entry(values)


def to_entry(row: Mapping[str, Any]) -> LedgerEntry:
    """Return the document of a row's display columns."""
    return LedgerEntry(
        model=row["model"],
        number=row["number"],
        at=instant(row["at"]),
        who=row["who"],
        action=row["action"],
        from_version=row["from_version"],
        to_version=row["to_version"],
        reason=row["reason"],
        evidence=json.loads(row["evidence"]),
        previous_hash=row["previous_hash"],
        hash=row["hash"],
    )


def faults(
    model: str,
    rows: Sequence[Mapping[str, Any]],
    champion: int | None,
    known_heads: Sequence[LedgerHead],
) -> list[str]:
    """Return sentences of what is wrong with a ledger; none means that it is whole.

    Args:
        model: whose ledger it is.
        rows: all its rows in order.
        champion: where the pointer points.
        known_heads: heads that gateways have seen.
    """
    found = [
        f"Entry {row['number']} of {model}'s ledger was edited: it holds values of other types."
        for row in rows
        if not _is_typed(row)
    ]
    rows = [row for row in rows if _is_typed(row)]
    found += [*_chain_faults(model, rows), *_head_faults(model, rows, known_heads)]
    last = rows[-1]["to_version"] if rows else None
    if champion != last:
        found.append(
            f"The champion of {model} is {_version(champion)}, but its ledger ends with "
            f"{_version(last)}."
        )
    return found


def _chain_faults(model: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    number, previous, champion = 0, "", None
    for row in rows:
        where = f"Entry {row['number']} of {model}'s ledger"
        gap = row["number"] != number + 1
        if gap:
            yield f"Entries {number + 1} to {row['number'] - 1} of {model}'s ledger are missing."
        elif row["previous_hash"] != previous:
            yield f"{where} does not follow entry {number}: its previous hash is another one."
        if row["hash"] != chained(row["previous_hash"], row["stored"]):
            yield f"{where} was edited: its hash is not that of its stored bytes."
        differing = _differing(row)
        if differing:
            yield f"{where} was edited: {', '.join(differing)} differ from its stored bytes."
        if not gap and row["from_version"] != champion:
            yield f"{where} starts from {_version(row['from_version'])}, not {_version(champion)}."
        number, previous, champion = row["number"], row["hash"], row["to_version"]


def _head_faults(
    model: str, rows: Sequence[Mapping[str, Any]], known_heads: Sequence[LedgerHead]
) -> Iterator[str]:
    hashes = {row["number"]: row["hash"] for row in rows}
    length = max(hashes, default=0)
    for known in known_heads:
        if known.length > length:
            yield (
                f"{model}'s ledger was cut: it has {length} entries, a gateway has seen "
                f"{known.length}."
            )
        elif known.length and hashes.get(known.length) != known.hash:
            yield (
                f"{model}'s ledger was replaced: entry {known.length} is not the one that a "
                "gateway has seen."
            )


def _differing(row: Mapping[str, Any]) -> list[str]:
    try:
        stored = json.loads(row["stored"])
        stored |= {
            "at": microseconds(datetime.fromisoformat(stored["at"])),
            "evidence": canonical_json(stored["evidence"]).decode(),
        }
    except (ValueError, TypeError, KeyError):
        return ["all columns"]
    shown = _shown(row)
    return sorted(k for k in shown.keys() | stored.keys() if shown.get(k) != stored.get(k))


def _is_typed(row: Mapping[str, Any]) -> bool:
    # SQLite keeps values of any type in any column.
    wanted = {"number": int, "stored": bytes, "previous_hash": str, "hash": str}
    return all(isinstance(row[name], type_) for name, type_ in wanted.items())


def _said(row: Mapping[str, Any]) -> dict[str, Any]:
    at = instant(row["at"]).isoformat(timespec="microseconds")
    return _shown(row) | {"at": at, "evidence": json.loads(row["evidence"])}


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "number": row["number"],
        "model": row["model"],
        "at": row["at"],
        "who": row["who"],
        "action": row["action"],
        "from": row["from_version"],
        "to": row["to_version"],
        "reason": row["reason"],
        "evidence": row["evidence"],
    }


def _evidence(evidence: Mapping[str, Any]) -> str:
    try:
        return canonical_json(dict(evidence)).decode()
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"The evidence is not JSON: {error}.") from None


def _version(version: int | None) -> str:
    return "none" if version is None else f"version {version}"
