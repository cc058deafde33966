"""What the gateway keeps of control's routes on its disk, to start without control."""

import logging
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from tiltyard.spool.disk import Disk
from tiltyard.types.base import Document
from tiltyard.types.registry import LedgerHead
from tiltyard.types.routes import RouteTable

logger = logging.getLogger(__name__)


class SavedRoutes(Document):
    """``routes.json``.

    Attributes:
        spool: name of the spool under which this gateway registered.
        gateway: number that control gave it.
        registered: whether control still counts on this gateway; False after a clean stop.
        ledgers: the longest ledger seen of each model; never shortened.
    """

    spool: str
    gateway: int
    registered: bool
    table: RouteTable
    ledgers: dict[str, LedgerHead] = {}


def load_routes(path: Path) -> SavedRoutes | None:
    """Return what was saved, None if nothing (or nothing that can be read) was."""
    try:
        return SavedRoutes.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        logger.warning("%s cannot be read, so the routes are fetched anew: %s", path, error)
        return None


def save_routes(path: Path, routes: SavedRoutes) -> None:
    """Replace the file, durably."""
    Disk().replace(path, routes.model_dump_json().encode())


def longest(kept: Mapping[str, LedgerHead], table: RouteTable) -> dict[str, LedgerHead]:
    """Return the ledger heads to keep: a shorter or changed ledger does not replace a head."""
    heads = dict(kept)
    for model in table.models:
        old, new = heads.get(model.name, LedgerHead()), model.ledger
        if new.length > old.length:
            heads[model.name] = new
        elif new != old:
            logger.error(
                "the ledger of %s had %d entries ending in %s, now it has %d ending in %s: "
                "run `tiltyard ledger verify`",
                model.name,
                old.length,
                old.hash or "nothing",
                new.length,
                new.hash or "nothing",
            )
    return heads
