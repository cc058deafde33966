"""Does a model degrade? Its live metrics against those on history, and the drift of its inputs."""

from collections.abc import Mapping
from typing import Any

from tiltyard.types.base import Document
from tiltyard.types.metrics import better
from tiltyard.types.registry import Thresholds


class CheckReport(Document):
    """What a check found.

    Attributes:
        degraded: whether a threshold was passed.
        reasons: a sentence for each finding, with its numbers.
        metric: that was compared.
        history: its value on the champion's history; None where it is undefined.
        live: its value in the live window.
        worsening: relative to history, positive when live is worse; None where undefined.
        rows: live rows with an actual.
        drift: input → population stability index.
    """

    degraded: bool
    reasons: tuple[str, ...]
    metric: str
    history: float | None
    live: float | None
    worsening: float | None
    rows: int
    drift: dict[str, float] = {}


def check(
    thresholds: Thresholds,
    history_metrics: Mapping[str, Any],
    live_metrics: Mapping[str, Any],
    drift: Mapping[str, float],
) -> CheckReport:
    """Compare live with history against a model's thresholds.

    The metric degrades when it is worse by more than ``max_worsening`` of its value on history
    (of a bias: of its absolute value); where that is zero, when it is worse by more than
    ``max_worsening`` as such. Fewer than ``min_rows`` rows with actuals are no evidence for it.
    Drift degrades when ``max_psi`` is set and passed by an input, unless fewer than ``min_rows``
    live rows, with or without actuals (``n`` + ``dropped``), are behind it.

    Raises:
        NotFoundError: the thresholds name no metric.
    """
    metric = thresholds.metric
    higher = better(metric) == "higher"
    history, live = history_metrics.get(metric), live_metrics.get(metric)
    worsening = _worsening(metric, history, live, higher=higher)
    rows = int(live_metrics.get("n", 0))
    degraded, sentence = _judged(thresholds, history, live, worsening, rows)
    drifted = _drifted(thresholds, drift, rows + int(live_metrics.get("dropped", 0)))
    return CheckReport(
        degraded=degraded or bool(drifted),
        reasons=(sentence, *drifted),
        metric=metric,
        history=history,
        live=live,
        worsening=worsening,
        rows=rows,
        drift=dict(drift),
    )


def _worsening(
    metric: str, history: float | None, live: float | None, *, higher: bool
) -> float | None:
    if history is None or live is None:
        return None
    if metric == "bias":
        history, live = abs(history), abs(live)
    worse_by = history - live if higher else live - history
    return worse_by / abs(history) if history else worse_by


def _judged(
    thresholds: Thresholds,
    history: float | None,
    live: float | None,
    worsening: float | None,
    rows: int,
) -> tuple[bool, str]:
    metric = thresholds.metric
    if rows < thresholds.min_rows:
        return False, (
            f"Only {rows} live rows have an actual; {thresholds.min_rows} are needed to judge "
            f"{metric}."
        )
    if history is None or live is None or worsening is None:
        where = "the history" if history is None else "the live rows"
        return False, f"{metric} is not defined on {where}, so it cannot be judged."
    degraded = worsening > thresholds.max_worsening
    return degraded, (
        f"{metric} is {live:.6g} on {rows} live rows and {history:.6g} on history: "
        f"{_change(worsening, relative=bool(history))}; "
        f"up to {_amount(thresholds.max_worsening, relative=bool(history))} worse is accepted."
    )


def _change(worsening: float, *, relative: bool) -> str:
    amount = _amount(abs(worsening), relative=relative)
    return f"{amount} {'worse' if worsening > 0 else 'better'}" if worsening else "no change"


def _amount(value: float, *, relative: bool) -> str:
    return f"{value:.1%}" if relative else f"{value:.6g}"


def _drifted(thresholds: Thresholds, drift: Mapping[str, float], rows: int) -> list[str]:
    limit = thresholds.max_psi
    if limit is None or rows < thresholds.min_rows:
        return []
    worst_first = sorted(drift.items(), key=lambda item: -item[1])
    return [
        f"Input {name!r} has drifted: its population stability index is {value:.3f} on {rows} "
        f"live rows, above {limit:g}."
        for name, value in worst_first
        if value > limit
    ]
