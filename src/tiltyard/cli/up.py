"""`tiltyard up` and `tiltyard init`."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from tiltyard.cli.base import app
from tiltyard.cli.output import done, say


@app.command()
def up(
    ready_file: Annotated[
        Path | None, typer.Option(help="Written when all is ready: pid, control, gateway.")
    ] = None,
) -> None:
    """Start control, gateway, worker, runner, hub and the scorers; Ctrl-C stops them all.

    Example: tiltyard up
    """
    from tiltyard.cli.home import locked, make_home, make_hub_tokens
    from tiltyard.cli.registry import prepare_registry
    from tiltyard.cli.running import Running
    from tiltyard.deployers.supervisor import Supervisor
    from tiltyard.settings import load_settings

    settings = load_settings()
    home = make_home(settings)
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)
    with locked(home):
        (home / "logs").mkdir(exist_ok=True)
        logging.basicConfig(
            filename=home / "logs" / "up.log",
            level=logging.INFO,
            format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        )
        # One line for each look at control says nothing.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        say(f"Starting Tiltyard on {home} …")
        # Containers outlive this process, and are of use only with their sockets.
        sockets = settings.sockets if settings.runtime == "process" else None
        with Supervisor(home, sockets) as supervisor:
            prepare_registry(settings)
            make_hub_tokens(settings)
            Running(settings, supervisor).run(ready_file)
        say("Stopped.")


@app.command()
def init() -> None:
    """Make the home folder, its registry and its local tokens; `tiltyard up` does it too.

    Example: tiltyard init
    """
    from tiltyard.cli.home import locked, make_home, make_hub_tokens
    from tiltyard.cli.registry import prepare_registry
    from tiltyard.settings import load_settings

    settings = load_settings()
    home = make_home(settings)
    with locked(home):
        prepare_registry(settings)
        make_hub_tokens(settings)
    done(f"{home} is ready. Next: `tiltyard lake load`, then `tiltyard up`.")
