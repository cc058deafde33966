"""Appends to a store until it is killed: ``python appender.py URL GATEWAY BATCH COUNT``.

Prints the last seq of every batch once its append has returned.
"""

import sys

from support.stores import actual, prediction
from tiltyard.stores import open_store
from tiltyard.types.records import LogRecord


def batch(gateway: int, first: int, size: int) -> list[LogRecord]:
    """Return records of seqs first, first + 1 …: every third is an actual of the one before."""
    return [
        actual(seq, seq - 1, gateway=gateway, of_gateway=gateway)
        if seq % 3 == 2
        else prediction(seq, gateway=gateway)
        for seq in range(first, first + size)
    ]


def main(url: str, gateway: int, size: int, count: int) -> None:
    """Go on after the watermark, until there are so many records."""
    store = open_store(url)
    lease = store.acquire(f"relay:{gateway}", f"appender of {gateway}", 600)
    assert lease is not None
    first = store.watermarks().get(gateway, -1) + 1
    while first < count:
        store.append(lease, gateway, batch(gateway, first, size))
        first += size
        print(first - 1, flush=True)
    store.close()


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
