"""Moves durable records from a spool into the store, in order, each once."""

import logging
from collections.abc import Sequence
from pathlib import Path

from tiltyard.errors import UnavailableError
from tiltyard.spool import SpoolReader, read_info
from tiltyard.stores.base import Lease, Store, relay_task
from tiltyard.types.records import EPOCH_BITS, LogRecord
from tiltyard.worker.jobs import Job

log = logging.getLogger(__name__)

NOTHING = 0
"""Watermark of a gateway of which the store holds nothing: seqs begin at 1 << EPOCH_BITS."""


class Relay(Job):
    """Relays one spool folder.

    It goes on from the store's watermark, not from its own mark in the spool: a store restored
    from an older state gets again what the spool still holds.
    """

    def __init__(self, folder: Path, store: Store, batch: int) -> None:
        info = read_info(folder)
        if info is None or info.gateway is None:
            raise UnavailableError(f"{folder} has no gateway number yet: control gives it.")
        self.task = relay_task(info.gateway)
        self.status = {"sent": 0, "confirmed": NOTHING, "durable": NOTHING}
        self._folder = folder
        self._gateway = info.gateway
        self._store = store
        self._batch = batch
        self._reader = SpoolReader(folder)

    def turn(self, lease: Lease) -> bool:
        """Send the next batch of durable records; whether it was a full one."""
        after = self._store.watermarks().get(self._gateway, NOTHING)
        records = self._reader.read(after, self._batch)
        if records:
            self._warn_of_a_gap(after, records)
            self.status["sent"] += self._store.append(lease, self._gateway, records)
            after = records[-1].seq
        if after != self.status["confirmed"]:
            self._reader.confirm(after)
            self.status["confirmed"] = after
        self.status["durable"] = self._reader.durable()
        return len(records) == self._batch

    def close(self) -> None:
        """Close the spool's files."""
        self._reader.close()

    def _warn_of_a_gap(self, after: int, records: Sequence[LogRecord]) -> None:
        """Within an epoch seqs have no gap; one means that records were lost on the way."""
        first = records[0].seq
        if first >> EPOCH_BITS == after >> EPOCH_BITS and first != after + 1:
            log.error(
                "%s holds nothing between seq %d and %d: %d records are missing. Was the store "
                "restored to a state older than what the spool keeps?",
                self._folder,
                after,
                first,
                first - after - 1,
            )
