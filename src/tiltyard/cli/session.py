"""What commands share: a client of control, and arguments that need reading."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tiltyard.errors import InvalidInputError

if TYPE_CHECKING:
    from tiltyard.client.control import ControlClient

ModelArgument = Annotated[str, typer.Argument(help="Name of the model.")]
VersionArgument = Annotated[int, typer.Argument(help="Number of the version.", min=1)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@contextmanager
def control() -> Iterator["ControlClient"]:
    """Give a client of control with the token of the settings."""
    from tiltyard.client.connect import connect

    with connect() as client:
        yield client


def parse_parameters(pairs: Sequence[str]) -> dict[str, Any]:
    """Return ``name=value`` pairs; a value that is JSON is read as such, else it is text.

    Raises:
        InvalidInputError: a pair has no ``=``, or a name comes twice.
    """
    parameters: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise InvalidInputError(f"Parameter {pair!r}: write name=value.")
        if name in parameters:
            raise InvalidInputError(f"Parameter {name!r} is given twice.")
        parameters[name] = _value(text)
    return parameters


def parse_time(text: str | None, option: str) -> datetime | None:
    """Return an ISO date or time; without an offset it is UTC.

    Raises:
        InvalidInputError: it is neither.
    """
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInputError(
            f"{option} {text!r} is no time: write 2011-04-01 or 2011-04-01T06:00:00+00:00."
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def read_json(path: Path) -> Any:
    """Return the JSON of a file, or of standard input for ``-``.

    Raises:
        InvalidInputError: it cannot be read, or is no JSON.
    """
    import sys

    try:
        return json.loads(sys.stdin.read() if str(path) == "-" else path.read_text())
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be read ({error.strerror}).") from None
    except ValueError as error:
        raise InvalidInputError(f"{path} is no JSON: {error}.") from None


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
