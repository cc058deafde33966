"""`tiltyard run`, `runs`, `cancel` and `retrain`: what a scheduler calls."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tiltyard.cli.base import app, group
from tiltyard.cli.output import complain, done, print_json, print_table, say
from tiltyard.cli.session import JsonOption, ModelArgument, control, parse_parameters
from tiltyard.errors import InvalidInputError

if TYPE_CHECKING:
    from tiltyard.types.registry import Run, RunRequest

commands = group("run", "Run a pipeline's notebooks and look at runs.")

PipelineArgument = Annotated[str, typer.Argument(help="Folder of the pipelines.")]
RunArgument = Annotated[str, typer.Argument(help="Id of the run.")]
ParametersOption = Annotated[
    list[str] | None, typer.Option("--parameter", "-p", help="name=value, any number of times.")
]
ForceOption = Annotated[bool, typer.Option(help="Run although the same run succeeded before.")]
TimeoutOption = Annotated[float, typer.Option(help="Seconds until the run is killed.")]
RetriesOption = Annotated[int, typer.Option(help="How often a failed run is tried again.")]
WaitOption = Annotated[bool, typer.Option(help="Wait for its end.")]
LogOption = Annotated[bool, typer.Option("--log", help="Print the notebook's log as it grows.")]


@commands.command()
def prepare(
    pipeline: PipelineArgument,
    parameters: ParametersOption = None,
    owner_group: Annotated[
        str | None, typer.Option(help="Whose model a new one is; else your first group's.")
    ] = None,
    force: ForceOption = False,
    timeout: TimeoutOption = 3600,
    retries: RetriesOption = 0,
    wait: WaitOption = True,
    log: LogOption = False,
    json: JsonOption = False,
) -> None:
    """Run a pipeline's prepare.ipynb, which writes a history.

    Example: tiltyard run prepare bikeshare
    """
    request_run(
        kind="prepare",
        pipeline=pipeline,
        parameters=parse_parameters(parameters or []),
        owner_group=owner_group,
        timeout_s=timeout,
        retries=retries,
        force=force,
        wait=wait,
        log=log,
        json=json,
    )


@commands.command()
def train(
    pipeline: PipelineArgument,
    parameters: ParametersOption = None,
    model: Annotated[str | None, typer.Option(help="Of another name than the pipeline.")] = None,
    deploy: Annotated[bool, typer.Option("--deploy", help="Deploy it as a challenger.")] = False,
    force: ForceOption = False,
    timeout: TimeoutOption = 3600,
    retries: RetriesOption = 0,
    wait: WaitOption = True,
    log: LogOption = False,
    json: JsonOption = False,
) -> None:
    """Run a pipeline's train.ipynb, which logs a version.

    Example: tiltyard run train bikeshare -p n_estimators=200
    """
    request_run(
        kind="train",
        pipeline=pipeline,
        model=model or pipeline,
        parameters=parse_parameters(parameters or []),
        timeout_s=timeout,
        retries=retries,
        force=force,
        deploy=deploy,
        wait=wait,
        log=log,
        json=json,
    )


@app.command()
def retrain(
    model: ModelArgument,
    parameters: ParametersOption = None,
    deploy: Annotated[bool, typer.Option(help="Deploy it, with the last live data scored.")] = True,
    force: ForceOption = False,
    timeout: TimeoutOption = 3600,
    wait: WaitOption = True,
    log: LogOption = False,
    json: JsonOption = False,
) -> None:
    """Train the champion's notebook on history plus live data with actuals.

    Example: tiltyard retrain bikeshare
    """
    request_run(
        kind="retrain",
        pipeline=model,
        model=model,
        parameters=parse_parameters(parameters or []),
        timeout_s=timeout,
        force=force,
        deploy=deploy,
        wait=wait,
        log=log,
        json=json,
    )


@app.command()
def runs(
    state: Annotated[
        str | None, typer.Option(help="queued, running, succeeded, failed or cancelled.")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1)] = 20,
    json: JsonOption = False,
) -> None:
    """List runs, newest first.

    Example: tiltyard runs --state failed
    """
    with control() as client:
        found = client.runs(state, limit)
    if json:
        print_json(found)
        return
    rows = (
        (r.id, r.request.kind, r.request.pipeline, r.state, r.version, r.created_at, r.error)
        for r in found
    )
    headings = ("id", "kind", "pipeline", "state", "version", "requested", "error")
    print_table(headings, rows, "There are no runs.")


@commands.command("show")
def show(run: RunArgument) -> None:
    """Print all that is known of a run, as JSON.

    Example: tiltyard run show 4f0c2a
    """
    with control() as client:
        print_json(client.run(run))


@commands.command("log")
def show_log(
    run: RunArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Until the run ends.")] = False,
) -> None:
    """Print a run's log.

    Example: tiltyard run log 4f0c2a --follow
    """
    from tiltyard.training.follow import follow as follow_run

    with control() as client:
        if follow:
            follow_run(client, run, on_log=print_piece)
            return
        offset = 0
        while True:
            text, after = client.run_log(run, offset)
            print_piece(text)
            if after == offset:
                return
            offset = after


@app.command()
def cancel(run: RunArgument) -> None:
    """Ask for a run to be ended.

    Example: tiltyard cancel 4f0c2a
    """
    with control() as client:
        done(f"Run {run} is {client.cancel_run(run).state}; it ends as soon as the runner sees it.")


def print_piece(text: str) -> None:
    """Print a piece of a log as it is."""
    typer.echo(text, nl=False)


def request_run(*, wait: bool, log: bool, json: bool, **request: Any) -> None:
    """Queue a run, follow it, and exit as a scheduler expects.

    Args:
        wait: until it has ended.
        log: print its log as it grows.
        json: print the run, and nothing else.
        **request: fields of a ``RunRequest``.

    Raises:
        InvalidInputError: a field cannot be used.
    """
    from tiltyard.cli.following import follow_run
    from tiltyard.training.follow import exit_code

    asked = _request(request)
    _check_here(asked)
    with control() as client:
        run = client.request_run(asked)
        if wait:
            run = follow_run(client, run, log=log, quiet=json)
    if json:
        print_json(run)
    else:
        _tell(run, wait=wait)
    if wait and (code := exit_code(run)):
        raise typer.Exit(code)


def _check_here(request: "RunRequest") -> None:
    # A mistyped parameter is told at once where the pipeline is at hand; the runner checks it
    # in any case.
    from tiltyard.settings import load_settings
    from tiltyard.training.plans import check_request

    pipelines = load_settings().pipelines.path
    if (pipelines / request.pipeline).is_dir():
        check_request(pipelines, request)


def _request(fields: dict[str, Any]) -> "RunRequest":
    from pydantic import ValidationError

    from tiltyard.types.registry import RunRequest

    try:
        return RunRequest(**fields)
    except ValidationError as error:
        wrong = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise InvalidInputError(f"The run cannot be asked for: {'; '.join(wrong)}.") from None


def _tell(run: "Run", *, wait: bool) -> None:
    if not wait:
        say(f"Run {run.id} is {run.state}: `tiltyard run log {run.id} -f` shows how it goes.")
    elif run.version is not None:
        done(f"Run {run.id} {run.state}: {run.request.model} version {run.version}.")
    elif not run.error:
        done(f"Run {run.id} {run.state}.")
    else:
        complain(
            f"Run {run.id} {run.state}: {run.error}. `tiltyard run log {run.id}` shows all of it."
        )
