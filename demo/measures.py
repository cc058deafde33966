"""What the demo reads of how versions do."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from demo import screen
from demo.data import Observation
from demo.site import Site

PATIENCE_S = 120.0
MONTHS = [datetime(2011, month, 1, tzinfo=UTC) for month in range(4, 13)]
MONTHS.append(datetime(2012, 1, 1, tzinfo=UTC))
"""The first instants of the months played, and the end of the last one."""


@dataclass(frozen=True)
class Measures:
    """Metrics of a model's versions, as control computes them from the store."""

    site: Site
    model: str
    observations: list[Observation]

    def of(self, version: int, first: int | None = None, last: int = 0) -> dict[str, Any]:
        """Return ``metrics`` and ``rows`` of months first ≤ month < last; without, of all."""
        window = {} if first is None else {"start": MONTHS[first], "end": MONTHS[last]}
        found: dict[str, Any] = self.site.ask(
            f"/models/{self.model}/metrics", version=version, source="live", **window
        )
        return found

    def on_history(self, version: int) -> dict[str, Any]:
        """Return the metrics of a version's own hold-out, the newest part of its history."""
        found = self.site.ask(f"/models/{self.model}/versions/{version}")
        metrics: dict[str, Any] = found["manifest"]["metrics"]
        return metrics

    def wait_for(self, version: int, first: int | None = None, last: int = 0) -> int:
        """Wait until every call of a period has the version's score and its actual.

        Raises:
            StepFailedError: that takes too long.
        """
        expected = self._count(first, last)
        end = time.monotonic() + PATIENCE_S
        while (rows := self.of(version, first, last)["rows"]) != expected:
            if time.monotonic() > end:
                raise screen.StepFailedError(
                    f"{self.model} version {version} has scored {expected} calls; it has {rows}"
                )
            time.sleep(0.3)
        return expected

    def _count(self, first: int | None, last: int) -> int:
        if first is None:
            return len(self.observations)
        return sum(
            o.at is not None and MONTHS[first] <= o.at < MONTHS[last] for o in self.observations
        )
