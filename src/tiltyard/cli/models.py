"""`tiltyard models`, `versions` and `thresholds`."""

from typing import Annotated

import typer

from tiltyard.cli.base import app
from tiltyard.cli.output import cell, done, print_json, print_table
from tiltyard.cli.session import JsonOption, ModelArgument, control
from tiltyard.errors import InvalidInputError


@app.command()
def models(json: JsonOption = False) -> None:
    """List the models and their champions.

    Example: tiltyard models
    """
    with control() as client:
        found = client.models()
    if json:
        print_json(found)
        return
    rows = ((m.name, m.task, m.champion, m.owner_group, m.call_schema.target) for m in found)
    headings = ("model", "task", "champion", "owner group", "target")
    print_table(headings, rows, "There are no models: `tiltyard run prepare` makes one.")


@app.command()
def versions(model: ModelArgument, json: JsonOption = False) -> None:
    """List a model's versions with their hold-out metrics.

    Example: tiltyard versions bikeshare
    """
    with control() as client:
        champion = client.model(model).champion
        found = client.versions(model)
        states = {d.version: str(d.state) for d in client.deployments(model)}
    if json:
        print_json(found)
        return
    rows = (
        (
            v.version,
            "champion" if v.version == champion else states.get(v.version),
            v.manifest.engine,
            v.created_at,
            ", ".join(f"{name} {cell(m)}" for name, m in _numbers(v.manifest.metrics)),
            ", ".join(f"{name}={value}" for name, value in v.manifest.parameters.items()),
        )
        for v in found
    )
    headings = ("version", "state", "engine", "made", "hold-out", "parameters")
    print_table(headings, rows, f"{model} has no versions: `tiltyard run train` makes one.")


@app.command()
def thresholds(
    model: ModelArgument,
    metric: Annotated[str | None, typer.Option(help="Whose live value is compared.")] = None,
    max_worsening: Annotated[float | None, typer.Option(help="Accepted, e.g. 0.25.")] = None,
    min_rows: Annotated[int | None, typer.Option(help="Fewer rows are no evidence.")] = None,
    max_psi: Annotated[float | None, typer.Option(help="An input drifts above it.")] = None,
    window_days: Annotated[float | None, typer.Option(help="Length of the live window.")] = None,
    webhook: Annotated[str | None, typer.Option(help="URL that is told of degrading.")] = None,
) -> None:
    """Print or change when `tiltyard check` says that a model degrades.

    Example: tiltyard thresholds bikeshare --max-worsening 0.5 --window-days 30
    """
    from pydantic import ValidationError

    from tiltyard.types.registry import Thresholds

    given = {
        "metric": metric,
        "max_worsening": max_worsening,
        "min_rows": min_rows,
        "max_psi": max_psi,
        "window_days": window_days,
        "webhook": webhook,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    with control() as client:
        found = client.model(model).thresholds
        if changes:
            try:
                new = Thresholds(**{**found.model_dump(), **changes})
            except ValidationError as error:
                raise InvalidInputError(f"The thresholds cannot be used: {error}.") from None
            found = client.patch_model(model, thresholds=new).thresholds
            done(f"The thresholds of {model} are changed.")
    print_json(found)


def _numbers(metrics: dict[str, object]) -> list[tuple[str, int | float]]:
    return [(name, m) for name, m in metrics.items() if isinstance(m, int | float)][:4]
