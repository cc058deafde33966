"""`tiltyard deploy`, `retire` and `deployments`."""

from typing import Annotated

import typer

from tiltyard.cli.base import app
from tiltyard.cli.output import done, print_json, print_table
from tiltyard.cli.session import JsonOption, ModelArgument, VersionArgument, control


@app.command()
def deploy(
    model: ModelArgument,
    version: VersionArgument,
    replicas: Annotated[int, typer.Option(help="Scorers.", min=1)] = 1,
    engine: Annotated[str | None, typer.Option(help="Instead of the version's own.")] = None,
    wait: Annotated[bool, typer.Option(help="Wait until its scorers are healthy.")] = True,
    timeout: Annotated[float, typer.Option(help="Seconds to wait.")] = 120,
    json: JsonOption = False,
) -> None:
    """Run a version as a challenger.

    Example: tiltyard deploy bikeshare 2 --replicas 2
    """
    from tiltyard.client.follow import until_healthy

    with control() as client:
        deployment = client.deploy(model, version, replicas, engine)
        if wait:
            deployment = until_healthy(client, deployment, timeout)
    if json:
        print_json(deployment)
    else:
        done(f"{model} version {version} is {deployment.state} (deployment {deployment.id}).")


@app.command()
def retire(model: ModelArgument, version: VersionArgument) -> None:
    """Take a version's deployment away.

    Example: tiltyard retire bikeshare 1
    """
    with control() as client:
        client.retire(model, version)
    done(f"{model} version {version} is retired.")


@app.command()
def deployments(
    model: Annotated[str | None, typer.Argument(help="Name of a model; default: all.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    json: JsonOption = False,
) -> None:
    """List deployments.

    Example: tiltyard deployments bikeshare
    """
    with control() as client:
        found = client.deployments(model)
    shown = [d for d in found if all_ or d.state != "retired"]
    if json:
        print_json(shown)
        return
    rows = ((d.id, d.model, d.version, d.state, d.replicas, d.engine, d.reason) for d in shown)
    headings = ("id", "model", "version", "state", "replicas", "engine", "reason")
    print_table(headings, rows, "Nothing is deployed.")
