"""`tiltyard metrics`, `check`, `replay` and `progress`."""

from datetime import timedelta
from typing import Annotated, Any

import typer

from tiltyard.cli.base import app
from tiltyard.cli.output import cell, complain, done, print_json, print_table, say
from tiltyard.cli.session import (
    JsonOption,
    ModelArgument,
    VersionArgument,
    control,
    parse_time,
)
from tiltyard.errors import InvalidInputError

WEBHOOK_TIMEOUT_S = 10.0


@app.command()
def metrics(
    model: ModelArgument,
    version: Annotated[int | None, typer.Option(help="Default: the champion.", min=1)] = None,
    source: Annotated[str, typer.Option(help="live or history.")] = "live",
    start: Annotated[str | None, typer.Option(help="Events from then on, UTC.")] = None,
    end: Annotated[str | None, typer.Option(help="Events before then, UTC.")] = None,
    known_by: Annotated[str | None, typer.Option(help="Actuals as known then.")] = None,
    json: JsonOption = False,
) -> None:
    """Print a version's metrics over history or live data.

    Example: tiltyard metrics bikeshare --start 2011-04-01 --end 2011-05-01
    """
    if source not in {"live", "history"}:
        raise InvalidInputError(f"--source {source!r}: write live or history.")
    with control() as client:
        found = client.metrics(
            model,
            version=version,
            source=source,
            start=parse_time(start, "--start"),
            end=parse_time(end, "--end"),
            known_by=parse_time(known_by, "--known-by"),
        )
    if json:
        print_json(found)
        return
    say(f"{model} version {found['version']}, {found['source']}, {found['rows']:,} rows")
    rows = ((name, cell(value)) for name, value in found["metrics"].items())
    print_table(("metric", "value"), rows, "Nothing to measure yet.")


@app.command()
def check(model: ModelArgument, json: JsonOption = False) -> None:
    """Compare live data with history; exits 1 and tells the webhook when the model degrades.

    Example: tiltyard check bikeshare
    """
    with control() as client:
        report = client.check(model)
        webhook = client.model(model).thresholds.webhook
    if json:
        print_json(report)
    else:
        _tell(model, report)
    if report["degraded"]:
        if webhook:
            call_webhook(webhook, model, report)
        raise typer.Exit(1)


@app.command()
def replay(
    model: ModelArgument,
    version: VersionArgument,
    since: Annotated[str | None, typer.Option(help="Event time, UTC.")] = None,
    last_days: Annotated[float, typer.Option(help="Instead of --since.", min=0)] = 30,
) -> None:
    """Let a challenger score again what was logged from an event time on.

    Example: tiltyard replay bikeshare 2 --since 2011-04-01
    """
    from datetime import UTC, datetime

    at = parse_time(since, "--since") or datetime.now(UTC) - timedelta(days=last_days)
    with control() as client:
        progress = client.replay(model, version, at)
    behind = progress.get("behind")
    done(f"{model} version {version} scores again from {at:%Y-%m-%d %H:%M} on; behind: {behind}.")


@app.command()
def progress(model: ModelArgument, version: VersionArgument, json: JsonOption = False) -> None:
    """Say how far a challenger has followed the log.

    Example: tiltyard progress bikeshare 2
    """
    with control() as client:
        found = client.progress(model, version)
    if json:
        print_json(found)
    else:
        say(f"{model} version {version} is {found['behind']:,} rows behind.")


def call_webhook(url: str, model: str, report: dict[str, Any]) -> None:
    """POST a report; a webhook that does not take it is told on stderr, and changes no exit."""
    import httpx

    from tiltyard.cli.output import plain

    try:
        body = {"model": model, "report": plain(report)}
        answer = httpx.post(url, json=body, timeout=WEBHOOK_TIMEOUT_S)
        answer.raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        complain(f"The webhook {url} was not told: {error}.")


def _tell(model: str, report: dict[str, Any]) -> None:
    live, before = cell(report.get("live")), cell(report.get("history"))
    say(f"{model}: {report['metric']} {live} live, {before} on history; {report['rows']:,} rows")
    for reason in report["reasons"]:
        complain(reason)
    if not report["degraded"]:
        done(f"{model} does not degrade.")
