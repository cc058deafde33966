"""`tiltyard deploy`, `undeploy`, `retire`, `deployments`, `status` and `logs`."""

from typing import Annotated

import typer

from tiltyard.cli.base import app
from tiltyard.cli.output import done, print_json, print_table
from tiltyard.cli.session import JsonOption, ModelArgument, VersionArgument, control
from tiltyard.errors import NotFoundError
from tiltyard.types.registry import Deployment, Size


@app.command()
def deploy(
    model: ModelArgument,
    version: VersionArgument,
    replicas: Annotated[int, typer.Option(help="Scorers.", min=1)] = 1,
    engine: Annotated[str | None, typer.Option(help="Instead of the version's own.")] = None,
    size: Annotated[
        Size, typer.Option(help="What each scorer may use of its host (`sizes` of the settings).")
    ] = Size.SMALL,
    wait: Annotated[bool, typer.Option(help="Wait until its scorers are healthy.")] = True,
    timeout: Annotated[float, typer.Option(help="Seconds to wait.")] = 120,
    json: JsonOption = False,
) -> None:
    """Run a version as a challenger.

    Example: tiltyard deploy bikeshare 2 --replicas 2
    """
    from tiltyard.client.follow import until_healthy

    with control() as client:
        deployment = client.deploy(model, version, replicas, engine, size)
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
def undeploy(model: ModelArgument, version: VersionArgument) -> None:
    """The same as retire: end a version's scorers.

    Example: tiltyard undeploy bikeshare 1
    """
    retire(model, version)


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
    rows = (
        (d.id, d.model, d.version, d.state, d.replicas, d.size, d.engine, d.reason) for d in shown
    )
    headings = ("id", "model", "version", "state", "replicas", "size", "engine", "reason")
    print_table(headings, rows, "Nothing is deployed.")


@app.command()
def status(
    model: Annotated[str | None, typer.Argument(help="Name of a model; default: all.")] = None,
    json: JsonOption = False,
) -> None:
    """Ask every scorer whether it answers; exits 1 if one does not.

    Example: tiltyard status bikeshare
    """
    with control() as client:
        live = [d for d in client.deployments(model) if d.state != "retired"]
        found = [(d, replica) for d in live for replica in client.replicas(d.id)]
    if json:
        print_json([{**r.model_dump(mode="json"), "deployment": d.id} for d, r in found])
    else:
        rows = (
            (d.model, d.version, d.state, r.number, "yes" if r.answers else "no", r.endpoint)
            for d, r in found
        )
        headings = ("model", "version", "state", "replica", "answers", "endpoint")
        print_table(headings, rows, "Nothing is deployed.")
    if not all(replica.answers for _, replica in found):
        raise typer.Exit(1)


@app.command()
def logs(
    model: ModelArgument,
    version: VersionArgument,
    replica: Annotated[int, typer.Option(help="Which scorer, from 0.")] = 0,
) -> None:
    """Print the end of what a version's scorer has written.

    Example: tiltyard logs bikeshare 2 --replica 1
    """
    with control() as client:
        deployment = _newest(client.deployments(model), model, version)
        typer.echo(client.scorer_log(deployment.id, replica))


def _newest(found: list[Deployment], model: str, version: int) -> Deployment:
    ours = [d for d in found if d.version == version]
    if not ours:
        raise NotFoundError("deployment of version", f"{model} {version}")
    return ours[-1]
