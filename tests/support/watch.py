"""What a gateway counted and kept while a test did something."""

from types import TracebackType
from typing import Self

from prometheus_client.parser import text_string_to_metric_families

from support.gateway import Gateway
from support.wire import call
from tiltyard.spool import SpoolReader
from tiltyard.types.records import LogRecord


class Watch:
    """Compares a gateway's log and counters before and after.

    Attributes:
        kept: the records that became durable inside.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._spool = SpoolReader(gateway.home / "spool" / "gateway")
        self._durable = self._spool.durable()
        self._counts = counts(gateway)
        self.kept: list[LogRecord] = []
        self._after: dict[str, float] = {}

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Look again, unless the test has failed already."""
        if kind is None:
            self.kept = self._spool.read(self._durable, 1_000_000)
            self._after = counts(self._gateway)
        self._spool.close()

    def refused(self, model: str, reason: str) -> float:
        """Return how many calls of a model were refused for a reason inside."""
        name = f"tiltyard_gateway_refusals_total model={model} reason={reason}"
        return self.grown().get(name, 0)

    def grown(self) -> dict[str, float]:
        """Return the counters that grew, and by how much."""
        before, after = self._counts, self._after
        return {k: v - before.get(k, 0) for k, v in after.items() if v != before.get(k, 0)}


def counts(gateway: Gateway) -> dict[str, float]:
    """Return the samples of /metrics by name and labels."""
    answer = call(gateway.port, "GET", "/metrics")
    assert answer.status == 200
    families = text_string_to_metric_families(answer.body.decode())
    samples = [sample for family in families for sample in family.samples]
    return {
        " ".join([s.name, *sorted(f"{k}={v}" for k, v in s.labels.items())]): s.value
        for s in samples
    }
