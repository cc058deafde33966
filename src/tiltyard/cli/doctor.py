"""`tiltyard doctor`."""

import typer

from tiltyard.cli.base import app
from tiltyard.cli.output import console, done, print_json, say
from tiltyard.cli.session import JsonOption


@app.command()
def doctor(json: JsonOption = False) -> None:
    """Say what is missing or wrong, and the command that mends it; exits 1 if anything is.

    Example: tiltyard doctor
    """
    from rich.text import Text

    from tiltyard.cli.findings import examine

    findings = examine()
    wrong = [f for f in findings if not f.ok]
    if json:
        print_json([vars(f) for f in findings])
    else:
        for found in findings:
            mark = ("✓ ", "green") if found.ok else ("✗ ", "red")
            console.print(Text.assemble(mark, (f"{found.check}: ", "bold"), found.what))
            if found.mend:
                say(f"    → {found.mend}", "cyan")
        if not wrong:
            done("Nothing is wrong.")
    if wrong:
        raise typer.Exit(1)
