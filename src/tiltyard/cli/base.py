"""The application that commands register with, and how errors end it."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tiltyard.cli.output import complain
from tiltyard.errors import TiltyardError

INTERRUPTED = 130


class ErrorsAsSentences(TyperGroup):
    """Ends with an error's sentence on stderr and its exit code, not with a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except TiltyardError as error:
            complain(error.message)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    cls=ErrorsAsSentences,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Machine learning models from the notebook to production, on premise.",
    epilog="Exit codes: 0 done, 1 degraded, 2 usage, 3 failed, 4 timed out, 5 control or hub away.",
)


@app.callback()
def options(
    home: Annotated[
        Path | None, typer.Option(help="Folder of all state, instead of TILTYARD_HOME.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Settings file, instead of TILTYARD_CONFIG.")
    ] = None,
) -> None:
    """Set what every command reads; child processes read it too."""
    if home is not None:
        os.environ["TILTYARD_HOME"] = str(home.absolute())
    if config is not None:
        os.environ["TILTYARD_CONFIG"] = str(config.absolute())


def group(name: str, help_: str) -> typer.Typer:
    """Return a group of commands, registered by name."""
    commands = typer.Typer(no_args_is_help=True, help=help_)
    app.add_typer(commands, name=name)
    return commands
