"""What can be chosen: model, version, variable, window."""

from typing import Any

from tiltyard.monitor.source import WINDOWS, Choice, Look
from tiltyard.types.registry import Version

Option = dict[str, str]
"""``value`` and ``label``."""


def fields(look: Look) -> list[dict[str, Any]]:
    """Return the fields of the controls: ``name``, ``label``, ``value``, ``options``."""
    if look.overview is None:
        return []
    call = look.overview.model.call_schema
    columns = [c.name for c in call.columns if c.name != call.event_time]
    version = "" if look.choice.version is None else str(look.choice.version)
    return [
        _field("model", "Model", look.choice.model, [_option(m.name) for m in look.models]),
        _field("version", "Version", version, _versions(look)),
        _field(
            "variable",
            "Variable",
            look.choice.variable,
            [_option("", f"{call.target}: predicted and actual"), *map(_option, columns)],
        ),
        _field(
            "window",
            "Window",
            look.choice.window,
            [_option(key, label) for key, (label, _) in WINDOWS.items()],
        ),
    ]


def chosen(old: Choice, new: dict[str, Any]) -> Choice:
    """Return a choice with what was chosen; another model begins with its champion and target."""
    model = str(new.get("model", old.model))
    same = model == old.model
    version = new.get("version", old.version if same else None)
    return Choice(
        model,
        int(version) if version else None,
        str(new.get("variable", old.variable if same else "")),
        str(new.get("window", old.window)),
    )


def _versions(look: Look) -> list[Option]:
    assert look.overview is not None  # noqa: S101  tells the type checker
    champion = look.overview.model.champion
    deployed = {standing.version for standing in look.overview.standings}
    first = (
        "No version yet"
        if look.version is None
        else (f"Champion (version {champion})" if champion else f"Newest (version {look.version})")
    )
    return [_option("", first)] + [
        _option(str(version.version), _named(version, version.version in deployed))
        for version in reversed(look.overview.versions)
        if not version.retired
    ]


def _named(version: Version, deployed: bool) -> str:
    name = f"Version {version.version}"
    return name if deployed else f"{name} (not deployed)"


def _field(name: str, label: str, value: str, options: list[Option]) -> dict[str, Any]:
    return {"name": name, "label": label, "value": value, "options": options}


def _option(value: str, label: str | None = None) -> Option:
    return {"value": value, "label": value if label is None else label}
