"""What all documents share."""

import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict


class Document(BaseModel):
    """An immutable, strictly typed JSON document."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


def canonical_json(value: Any) -> bytes:
    """Return the one byte form of a JSON-able value: sorted keys, no spaces, UTF-8, no NaN."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def digest(value: Any) -> str:
    """Return SHA-256 (hex) of a JSON-able value's canonical bytes."""
    return hashlib.sha256(canonical_json(value)).hexdigest()
