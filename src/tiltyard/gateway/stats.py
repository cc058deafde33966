"""What the gateway counts, and how Prometheus reads it.

Plain dictionaries are counted up on the loop; prometheus-client's own counters take a lock and
several microseconds each, which is a tenth of a call.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the latency buckets, in seconds."""


class Latency:
    """Counts of durations by bucket."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Count a duration."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds


class Stats:
    """Counts since the start; a Prometheus collector.

    Args:
        gauges: name → (what it is, how to read it now).
    """

    def __init__(self, gauges: Mapping[str, tuple[str, Callable[[], float]]]) -> None:
        self._gauges = gauges
        self.calls: defaultdict[tuple[str, str, int], int] = defaultdict(int)
        self.rows: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.refusals: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.latency: defaultdict[str, Latency] = defaultdict(Latency)

    def answered(self, model: str, verb: str, status: int, rows: int, seconds: float) -> None:
        """Count a call that was answered with what it asked for."""
        self.calls[model, verb, status] += 1
        self.rows[model, verb] += rows
        if verb == "predict":
            self.latency[model].add(seconds)

    def refused(self, model: str, verb: str, status: int, reason: str) -> None:
        """Count a call that was answered with an error."""
        self.calls[model, verb, status] += 1
        self.refusals[model, reason] += 1

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics, as prometheus-client asks for them."""
        yield _counter("calls", "Calls by answer", ("model", "verb", "status"), self.calls.items())
        yield _counter("rows", "Rows and actuals taken", ("model", "verb"), self.rows.items())
        yield _counter(
            "refusals", "Calls refused, by reason", ("model", "reason"), self.refusals.items()
        )
        yield self._histogram()
        for name, (what, read) in self._gauges.items():
            yield GaugeMetricFamily(f"tiltyard_gateway_{name}", what, value=read())

    def _histogram(self) -> Metric:
        family = HistogramMetricFamily(
            "tiltyard_gateway_predict_seconds",
            "From a call's last byte to its answer",
            labels=["model"],
        )
        names = [*map(str, BOUNDS), "+Inf"]
        for model, latency in list(self.latency.items()):
            buckets = list(zip(names, accumulate(latency.counts), strict=True))
            family.add_metric([model], buckets, sum_value=latency.total)
        return family


def _counter(
    name: str,
    what: str,
    labels: tuple[str, ...],
    counts: Iterable[tuple[tuple[str | int, ...], int]],
) -> Metric:
    family = CounterMetricFamily(f"tiltyard_gateway_{name}", what, labels=labels)
    for values, count in list(counts):
        family.add_metric([str(value) for value in values], count)
    return family
