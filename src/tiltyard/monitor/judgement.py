"""The two metric tables, the champion and its challengers, as the page shows them."""

from collections.abc import Sequence
from typing import Any

from tiltyard.monitor.source import Look
from tiltyard.monitor.wording import NAMES, NOTHING, change, count, metric, moment
from tiltyard.types.metrics import BETTER, METRICS
from tiltyard.types.monitor import Overview, Standing
from tiltyard.types.registry import DeploymentState, Version

_PARAMETERS = 4
NOTEWORTHY = 0.05
"""Relative change from which on a value is called better or worse."""


def table(look: Look) -> list[dict[str, str]]:
    """Return a line for each metric: hold-out, whole history, live, and the change since."""
    if look.overview is None or look.version is None:
        return []
    report = (look.metrics or {}).get(look.version, {})
    live, off = report.get("metrics", {}), report.get("approximate", {})
    before, whole = look.hold_out or {}, look.whole or {}
    return [
        {
            "name": NAMES[name],
            "hold_out": metric(name, before.get(name)),
            "history": metric(name, whole.get(name)),
            "live": ("≈ " if name in off else "") + metric(name, live.get(name)),
            "change": change(before.get(name), live.get(name)),
            "verdict": verdict(name, before.get(name), live.get(name)),
            "hint": f"off by at most {off[name]:.3f}" if name in off else "",
        }
        for name in METRICS[look.overview.model.task]
    ]


def caption(look: Look) -> str:
    """Return what the table is of."""
    report = (look.metrics or {}).get(look.version or 0)
    if look.overview is None or report is None:
        return ""
    n = report["rows"]
    if n:
        return f"Live: {count(n, 'row')} with an actual."
    if look.overview.counts["predictions"]:
        return "No actuals are known yet: applications send them when they are."
    return "No calls yet: applications call the gateway."


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
    value = _live(look, standing.version, name)
    return {
        "version": standing.version,
        "champion": standing.champion,
        "what": _what(version, overview.versions),
        "since": moment(standing.deployment.created_at),
        "metric": NAMES.get(name, name),
        "value": metric(name, value),
        "change": "" if standing.champion else change(of_champion, value),
        "verdict": "" if standing.champion else verdict(name, of_champion, value),
        "state": _state(standing),
        "healthy": standing.deployment.state is DeploymentState.HEALTHY,
    }


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
        return "answers"
    if standing.behind:
        return f"{count(standing.behind, 'call')} behind"
    return "has scored every call"


def last_change(look: Look) -> str:
    """Return the last line of the ledger as a sentence."""
    entry = None if look.overview is None else look.overview.last_change
    if entry is None:
        return "Nobody has promoted a version yet."
    before = NOTHING if entry.from_version is None else str(entry.from_version)
    return (
        f"{entry.who} made version {entry.to_version} champion (before: {before}) on "
        f"{moment(entry.at)} UTC: “{entry.reason}”"
    )
