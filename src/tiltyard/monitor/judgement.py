"""The two metric tables, the champion and its challengers, as the page shows them."""

from collections.abc import Sequence
from typing import Any

from tiltyard.monitor.source import Look
from tiltyard.monitor.wording import NAMES, change, clock, count, metric
from tiltyard.types.metrics import BETTER, METRICS
from tiltyard.types.monitor import Overview, Standing
from tiltyard.types.registry import DeploymentState, Version

_PARAMETERS = 4
NOTEWORTHY = 0.05
"""Relative change from which on a value is called better or worse."""


def shown(look: Look) -> dict[str, Any]:
    """Return what the page judges by; nothing when there is no version.

    ``heading``, ``rows`` (see ``table``), ``caption``, ``finding`` with ``degraded``,
    ``confusion`` (None but for a classification), ``standings`` and ``change``.
    """
    if look.overview is None or look.version is None:
        return {}
    finding, degraded = judged(look)
    return {
        "heading": f"Metrics of version {look.version}",
        "rows": table(look),
        "caption": caption(look),
        "finding": finding,
        "degraded": degraded,
        "confusion": confusion(look),
        "standings": standings(look),
        "change": last_change(look),
    }


def table(look: Look) -> list[dict[str, str]]:
    """Return a line for each metric: hold-out, whole history, live, and the change since."""
    if look.overview is None or look.version is None:
        return []
    report = (look.metrics or {}).get(look.version, {})
    live, off = report.get("metrics", {}), report.get("approximate", {})
    before, whole = look.hold_out or {}, look.whole or {}
    return [
        {
            "metric": name,
            "name": NAMES[name],
            "hold_out": metric(name, before.get(name)),
            "history": metric(name, whole.get(name)),
            "live": _live_value(name, live.get(name), off),
            "change": _change(name, before.get(name), live.get(name)),
            "verdict": verdict(name, before.get(name), live.get(name)),
            "hint": f"from a histogram; off by at most {off[name]:.3f}" if name in off else "",
        }
        for name in METRICS[look.overview.model.task]
    ]


def _live_value(name: str, value: float | None, approximate: dict[str, float]) -> str:
    mark = "≈ " if name in approximate and value is not None else ""
    return mark + metric(name, value)


def _change(name: str, before: float | None, after: float | None) -> str:
    """Return the relative change; of a bias that of its size."""
    if name == "bias" and before is not None and after is not None:
        before, after = abs(before), abs(after)
    return change(before, after)


def caption(look: Look) -> str:
    """Return which rows the table is of."""
    report = (look.metrics or {}).get(look.version or 0)
    if look.overview is None or report is None:
        return ""
    of_history = (look.whole or {}).get("n")
    before = "" if of_history is None else f"History: {count(of_history, 'row')}. "
    n, counts = report["rows"], look.overview.counts
    if n:
        live = f"Live: {count(n, 'row')} with an actual, in this window."
        return f"{before}{live} Change: live against hold-out."
    if counts["predictions"]:
        return f"{before}No actuals yet in this window: applications send them to the gateway."
    return f"{before}No live data yet: applications call the gateway."


def judged(look: Look) -> tuple[str, bool]:
    """Return the finding by the model's threshold, and whether the version degrades."""
    if look.overview is None or look.version is None:
        return "", False
    limits = look.overview.model.thresholds
    name, report = limits.metric, (look.metrics or {}).get(look.version, {})
    before, after = (look.hold_out or {}).get(name), report.get("metrics", {}).get(name)
    n = report.get("rows", 0)
    if before is None or after is None or not before:
        return "", False
    if n < limits.min_rows:
        return (
            f"{limits.min_rows:,} rows with an actual are needed to judge; there are {n:,}.",
            False,
        )
    if name == "bias":
        before, after = abs(before), abs(after)
    gain = after - before if BETTER[name] == "higher" else before - after
    worsening = -gain / abs(before)
    word = "worse" if worsening > 0 else "better"
    how = f"{100 * abs(worsening):,.0f} % {word} than on the hold-out"
    accepted = f"up to {100 * limits.max_worsening:.0f} % worse is accepted"
    degraded = worsening > limits.max_worsening
    end = "Consider retraining." if degraded else ""
    return f"{NAMES.get(name, name)} is {how}; {accepted}. {end}".strip(), degraded


def confusion(look: Look) -> dict[str, Any] | None:
    """Return classes and counts of the live rows: actual by predicted."""
    matrix = (look.metrics or {}).get(look.version or 0, {}).get("metrics", {})
    rows = matrix.get("confusion_matrix")
    seen = look.seen
    if not rows or seen is None or not any(map(sum, rows)):
        return None
    classes = [
        str(label).lower() if isinstance(label, bool) else str(label)
        for label in seen.manifest.signature.output.classes or ()
    ]
    return {"classes": classes, "rows": [[f"{n:,}" for n in row] for row in rows]}


def verdict(name: str, before: float | None, after: float | None) -> str:
    """Return ``better``, ``worse`` or nothing if a metric has hardly changed."""
    if before is None or after is None:
        return ""
    if name == "bias":
        before, after = abs(before), abs(after)
    if abs(after - before) <= NOTEWORTHY * abs(before):
        return ""
    return "better" if (after > before) == (BETTER[name] == "higher") else "worse"


def standings(look: Look) -> list[dict[str, Any]]:
    """Return a card for each deployed version, the champion's first."""
    if look.overview is None:
        return []
    name = look.overview.model.thresholds.metric
    of_champion = _live(look, look.overview.model.champion, name)
    return [
        _card(look, look.overview, standing, name, of_champion)
        for standing in look.overview.standings
    ]


def _card(
    look: Look, overview: Overview, standing: Standing, name: str, of_champion: float | None
) -> dict[str, Any]:
    version = next(v for v in overview.versions if v.version == standing.version)
    report = (look.metrics or {}).get(standing.version, {})
    value = _live(look, standing.version, name)
    word = "" if standing.champion else verdict(name, of_champion, value)
    compared = _change(name, of_champion, value) and not standing.champion
    return {
        "version": standing.version,
        "champion": standing.champion,
        "what": _what(version, overview.versions),
        "since": _since(overview, standing),
        "metric": f"{NAMES.get(name, name)}, live",
        "value": _live_value(name, value, report.get("approximate", {})),
        "rows": count(report.get("rows", 0), "row"),
        "change": f"{word or 'about as good as'}{' than' * bool(word)} the champion "
        f"({_change(name, of_champion, value)})"
        if compared
        else "",
        "verdict": word,
        "state": _state(standing),
        "healthy": standing.deployment.state is DeploymentState.HEALTHY,
    }


def _since(overview: Overview, standing: Standing) -> str:
    entry = overview.last_change
    if standing.champion and entry is not None and entry.to_version == standing.version:
        return f"champion since {clock(entry.at)}"
    return f"deployed {clock(standing.deployment.created_at)}"


def _live(look: Look, version: int | None, name: str) -> float | None:
    report = (look.metrics or {}).get(version or 0, {})
    value: float | None = report.get("metrics", {}).get(name)
    return value


def _what(version: Version, others: Sequence[Version]) -> str:
    """Return what tells a version from the others, and what it was trained on."""
    every = [one.manifest.parameters for one in others]
    shared = [name for name in every[0] if all(name in parameters for parameters in every)]
    telling = [
        f"{name} {version.manifest.parameters[name]}"
        for name in shared
        if len({repr(parameters[name]) for parameters in every}) > 1
    ]
    end = version.manifest.provenance.train_end
    data = [] if end is None else [f"trained on data up to {end:%Y-%m-%d}"]
    return ", ".join([*telling[:_PARAMETERS], *data]) or version.manifest.engine


def _state(standing: Standing) -> str:
    deployment = standing.deployment
    if deployment.state is not DeploymentState.HEALTHY:
        return (
            f"{deployment.state}: {deployment.reason}"
            if deployment.reason
            else (str(deployment.state))
        )
    if standing.champion:
        return "answers every call"
    if standing.behind:
        return f"{count(standing.behind, 'call')} behind"
    return "has scored every call"


def last_change(look: Look) -> str:
    """Return the last line of the ledger as a sentence."""
    entry = None if look.overview is None else look.overview.last_change
    if entry is None:
        return "Nobody has promoted a version yet."
    instead = "" if entry.from_version is None else f" instead of version {entry.from_version}"
    return (
        f"Last change: {entry.who} made version {entry.to_version} champion{instead}, "
        f"{clock(entry.at)}: “{entry.reason}”"
    )
